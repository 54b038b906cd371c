"""`AgentSpaces`: what an agent sees where it differs from the columns that a model sees."""

from typing import Any, NamedTuple

from gymnasium.spaces import Dict
from torch import Tensor

from offline_envs.data.spaces.discrete import DiscreteSpace, from_one_hot, one_hot
from offline_envs.data.spaces.observations import flatten_obs, nested_obs


class AgentSpaces(NamedTuple):
    """Spaces of an agent whose values are encoded for the model.

    Attributes:
        actions: Its discrete actions; None if actions are the model's columns.
        obs: Its Dict of observations; None if observations are the model's columns.
    """

    actions: DiscreteSpace | None = None
    obs: Dict | None = None

    def action_columns(self, actions: Tensor) -> Tensor:
        """An agent's actions as columns, float32 `(n, k)`."""
        return actions.float() if self.actions is None else one_hot(self.actions, actions)

    def agent_actions(self, columns: Tensor) -> Tensor:
        """Columns `(n, k)` as the agent's actions."""
        return columns if self.actions is None else from_one_hot(self.actions, columns)

    def obs_columns(self, obs: Any) -> Tensor:
        """An agent's observations, a tensor or tensors by name, as columns `(n, d)`."""
        if self.obs is None:
            return obs  # type: ignore[no-any-return]  # a tensor
        columns: Tensor = flatten_obs(self.obs, obs, (len(next(iter(obs.values()))),))
        return columns

    def agent_obs(self, columns: Tensor) -> Any:
        """Columns `(..., d)` as the agent's observations: themselves, or views by name."""
        return columns if self.obs is None else nested_obs(self.obs, columns)
