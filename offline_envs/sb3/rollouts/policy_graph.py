"""`PolicyGraph`: the random actions of an agent's policy, replayed as one graph on a CUDA device."""

from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from offline_envs.kernels import CapturedCall


class PolicyGraph:
    """What a policy does at observations of one shape, as a graph of its weights where they are in memory.

    Weights may change in place, as optimizers and `load_state_dict` change them. It draws the random numbers
    that the policy would draw.

    Args:
        policy: The policy, on a CUDA device, in evaluation mode.
    """

    def __init__(self, policy: BasePolicy) -> None:
        self._policy, self._weights = policy, addresses(policy)
        self._call = CapturedCall(policy._predict, name="the policy")

    def fits(self, policy: BasePolicy) -> bool:
        """Whether it still is the graph of a policy, whose weights may have moved in memory."""
        return policy is self._policy and addresses(policy) == self._weights

    def __call__(self, obs: Tensor) -> Tensor:
        """Choose actions in [-1, 1], `(n, k)`, for observations `(n, d)`; not overwritten by later calls."""
        return self._call(obs).clone()


def addresses(policy: BasePolicy) -> list[int]:
    """Where each tensor of a policy is in memory."""
    return [tensor.data_ptr() for tensor in (*policy.parameters(), *policy.buffers())]


def captures(policy: BasePolicy) -> bool:
    """Whether actions are replayed as a graph."""
    return policy.device.type == "cuda"
