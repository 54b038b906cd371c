"""`AgentView`: the interface of an agent that an adversary needs."""

from typing import Protocol

from torch import Tensor


class AgentView(Protocol):
    """A policy and its values, as functions of tensors on the model's device.

    Actions are in the environment's units. The adversary calls all three without gradients.
    """

    def act(self, obs: Tensor) -> Tensor:
        """Actions as the policy takes them, sampled where it is stochastic: `(B, d)` to `(B, k)`."""

    def state_value(self, obs: Tensor) -> Tensor:
        """V(s), `(B, d)` to `(B,)`; in RAMBO's release min_j Q_j(s, a) at the policy's deterministic a."""

    def action_value(self, obs: Tensor, action: Tensor) -> Tensor:
        """Q(s, a), `(B, d)` and `(B, k)` to `(B,)`; in RAMBO's release min_j Q_j(s, a)."""
