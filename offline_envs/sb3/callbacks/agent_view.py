"""`agent_view`: what an adversary needs of an SB3 agent, with values of actions or of states alone."""

import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from offline_envs.sb3.buffers.rows import action_bounds, between
from offline_envs.sb3.callbacks.actor_critic import SB3ActorCritic, bounded_actions, evaluating


class SB3StateCritic:
    """View of an SB3 policy that has values of states alone, such as TRPO's, for an adversary.

    V(s) stands for Q(s, a). The adversary follows a gradient of the model's log-probability, and a baseline
    that does not depend on the outcome leaves that gradient's mean as it is.

    Args:
        policy: The policy of TRPO, PPO, A2C, or one like theirs.
        space: Its bounded actions.
    """

    def __init__(self, policy: ActorCriticPolicy, space: Box) -> None:
        self._policy = policy
        self._bounds = action_bounds(space, policy.device)

    def act(self, obs: Tensor) -> Tensor:
        """Sampled actions, clipped as in rollouts, `(B, d)` to `(B, k)`."""
        with evaluating(self._policy):
            action = self._policy._predict(obs.to(self._policy.device), deterministic=False)
        inside = between if self._policy.squash_output else torch.clamp
        return inside(action, *self._bounds).to(obs.device)

    def state_value(self, obs: Tensor) -> Tensor:
        """V(s), `(B, d)` to `(B,)`."""
        with evaluating(self._policy):
            return self._policy.predict_values(obs.to(self._policy.device)).flatten().to(obs.device)

    def action_value(self, obs: Tensor, action: Tensor) -> Tensor:
        """V(s), whatever the actions, `(B, d)` and `(B, k)` to `(B,)`."""
        del action  # Unused.
        return self.state_value(obs)


def agent_view(agent: BaseAlgorithm) -> SB3ActorCritic | SB3StateCritic:
    """The view of an agent that an adversary needs.

    Raises:
        SettingsError: An agent with neither kind of values, or with unbounded actions.
    """
    if isinstance(agent.policy, ActorCriticPolicy):
        return SB3StateCritic(agent.policy, bounded_actions(agent))
    return SB3ActorCritic(agent)
