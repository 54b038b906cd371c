"""`AgentSpaces`: what an agent sees where it differs from the columns that a model sees."""

from typing import NamedTuple

from torch import Tensor

from offline_envs.data.spaces.discrete import DiscreteSpace, from_one_hot, one_hot


class AgentSpaces(NamedTuple):
    """Spaces of an agent whose values are encoded for the model.

    Attributes:
        actions: Its discrete actions; None if actions are the model's columns.
    """

    actions: DiscreteSpace | None = None

    def action_columns(self, actions: Tensor) -> Tensor:
        """An agent's actions as columns, float32 `(n, k)`."""
        return actions.float() if self.actions is None else one_hot(self.actions, actions)

    def agent_actions(self, columns: Tensor) -> Tensor:
        """Columns `(n, k)` as the agent's actions."""
        return columns if self.actions is None else from_one_hot(self.actions, columns)
