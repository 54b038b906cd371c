"""`with_mixin`: an off-policy SB3 agent whose collection of transitions is changed by a mixin."""

from functools import cache
from typing import Protocol, TypeVar, cast, runtime_checkable

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

from offline_envs.errors import SettingsError

Agent = TypeVar("Agent", bound=BaseAlgorithm)


@runtime_checkable
class ChoosesRolloutActions(Protocol):
    """An agent with its own exploration on the device, in place of `_sample_action`, which is on the host.

    `with_device_rollouts` calls it, and accepts an agent that overrides `_sample_action` if the same class or
    a subclass defines this method.
    """

    def rollout_actions(self, obs: Tensor, learning_starts: int) -> Tensor:
        """Choose the actions of one step of all rows, without gradients.

        Args:
            obs: Observations, `(n, d)`, on the agent's device.
            learning_starts: Transitions before which SB3 draws actions uniformly, see `agent.num_timesteps`.

        Returns:
            Actions in [-1, 1], float32 `(n, k)`, on the same device.
        """


def uniform_actions(n_rows: int, action_dim: int, device: torch.device) -> Tensor:
    """Draw actions uniformly from [-1, 1] with torch's generator, which SB3 seeds, `(n_rows, action_dim)`."""
    return 2 * torch.rand(n_rows, action_dim, device=device) - 1


def with_mixin(mixin: type[OffPolicyAlgorithm], agent: type[Agent], *, refusal: str) -> type[Agent]:
    """Put the methods of a mixin before an agent's own.

    Args:
        mixin: Class whose methods override the agent's; its name becomes part of the new class's.
        agent: Class of the agent.
        refusal: Message for an agent that does not learn from a replay buffer.

    Returns:
        A subclass of `agent`, the same one at each call, or `agent` itself if it has the mixin already.

    Raises:
        SettingsError: An agent that does not learn from a replay buffer.
    """
    if issubclass(agent, mixin):
        return agent
    if not issubclass(agent, OffPolicyAlgorithm):
        raise SettingsError(refusal)
    return cast(type[Agent], _subclass(mixin, agent))


@cache
def _subclass(mixin: type[OffPolicyAlgorithm], agent: type[OffPolicyAlgorithm]) -> type[OffPolicyAlgorithm]:
    return type(f"{agent.__name__}With{mixin.__name__}", (mixin, agent), {"__doc__": agent.__doc__})
