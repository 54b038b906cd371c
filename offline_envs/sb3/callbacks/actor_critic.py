"""`SB3ActorCritic`: an SB3 agent with an actor and critics, as functions of tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.sb3.buffers.rows import scale_action, unscale_action


class SB3ActorCritic:
    """View of an SB3 agent for an `offline_envs.adversary.Adversary`, computed by its current networks.

    Values are the minimum over the current critics, not the target critics, without entropy, as in RAMBO's
    release. For TQC a critic's value is the mean of all its quantiles; the agent's own targets drop the
    highest ones. DDPG has a single critic. SAC, TQC and CrossQ sample actions, from torch's global
    generator as all of SB3 does; TD3 and DDPG are deterministic, and their exploration noise is left out.

    Observations reach the networks unchanged, and results are on the device of the inputs.

    Args:
        agent: SAC, TQC, CrossQ, TD3, DDPG, or any agent with `actor` and `critic` like theirs.

    Raises:
        SettingsError: An agent without critics of state and action, or with unbounded actions.
    """

    def __init__(self, agent: BaseAlgorithm) -> None:
        for name in ("actor", "critic"):
            if not hasattr(agent, name):
                raise SettingsError(
                    f"Values of actions need critics Q(s, a), and {type(agent).__name__} has no {name}. "
                    "Use SAC, TQC, CrossQ, TD3 or DDPG."
                )
        self._agent: Any = agent
        self._space = bounded_actions(agent)

    def act(self, obs: Tensor) -> Tensor:
        """Sampled actions in the environment's units, `(B, d)` to `(B, k)`."""
        with evaluating(self._agent.policy):
            scaled: Tensor = self._agent.policy._predict(self._own(obs), deterministic=False)
        return unscale_action(scaled, self._space).to(obs.device)

    def state_value(self, obs: Tensor) -> Tensor:
        """min_j Q_j(s, a) at the deterministic action a, `(B, d)` to `(B,)`."""
        with torch.no_grad():
            return self.smooth_state_value(obs)

    def smooth_state_value(self, obs: Tensor) -> Tensor:
        """`state_value` with gradients by the observations, for planners that follow derivatives."""
        with evaluating(self._agent.policy, gradients=True):
            own = self._own(obs)
            return self._smallest(own, self._agent.policy._predict(own, deterministic=True)).to(obs.device)

    def action_value(self, obs: Tensor, action: Tensor) -> Tensor:
        """min_j Q_j(s, a) of actions in the environment's units, `(B, d)` and `(B, k)` to `(B,)`."""
        with evaluating(self._agent.policy):
            scaled = scale_action(self._own(action), self._space)
            return self._smallest(self._own(obs), scaled).to(obs.device)

    def _smallest(self, obs: Tensor, scaled: Tensor) -> Tensor:
        values = self._agent.critic(obs, scaled)
        if isinstance(values, Tensor):  # TQC: (B, critics, quantiles)
            return values.mean(dim=2).amin(dim=1)
        return torch.cat(values, dim=1).amin(dim=1)

    def _own(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._agent.device)


@contextmanager
def evaluating(policy: BasePolicy, *, gradients: bool = False) -> Iterator[None]:
    """Disable gradients unless they are asked for, and put batch norm and dropout in evaluation mode."""
    was_training = policy.training
    policy.set_training_mode(False)
    try:
        with torch.set_grad_enabled(gradients and torch.is_grad_enabled()):
            yield
    finally:
        policy.set_training_mode(was_training)


def bounded_actions(agent: BaseAlgorithm) -> Box:
    """The agent's space of actions.

    Raises:
        SettingsError: It is not a bounded Box.
    """
    space = agent.action_space
    if not isinstance(space, Box) or not space.is_bounded():
        raise SettingsError(f"An adversary needs a Box of bounded actions, got {space}.")
    return space
