"""`ActsByAverage`: a policy whose deterministic actions are those of an average of its weights."""

from typing import Any

import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from offline_envs.errors import SettingsError


class ActsByAverage(BasePolicy):
    """A base of policies that act by an average of their weights where they are deterministic.

    `predict(..., deterministic=True)` uses the average, and so do evaluations and whoever loads the policy.
    Sampled actions, and everything that learns, use the current weights. Until `start_average` the average is
    not used. Training draws the same numbers with and without it.

    Attributes:
        follows: Whether who trains this policy moves the average. Other agents load it too, such as SB3's own
            SAC: once they train it, the average is of the past and no longer used.
    """

    has_average: Tensor
    follows: bool = False

    def register_average(self) -> None:
        """Make room for saying whether there is an average; to be called when the policy is built."""
        self.register_buffer("has_average", torch.tensor(False))

    @property
    def averaged(self) -> BasePolicy:
        """The policy of the average of the weights."""
        raise NotImplementedError

    @property
    def current(self) -> BasePolicy:
        """The policy of the current weights, which it shares."""
        raise NotImplementedError

    @property
    def acting(self) -> BasePolicy:
        """Where deterministic actions come from: the average, or the current weights until there is one."""
        return self.averaged if self.has_average else self.current

    def set_training_mode(self, mode: bool) -> None:
        """Drop the average where training would leave it behind; see Stable-Baselines3."""
        super().set_training_mode(mode)
        if mode and not self.follows:
            self.has_average.fill_(False)

    def start_average(self) -> None:
        """Let the average start from the current weights."""
        self.averaged.load_state_dict(self.current.state_dict())
        self.has_average.fill_(True)

    def predict(
        self,
        observation: NDArray[Any] | dict[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """Choose actions; see Stable-Baselines3."""
        if deterministic and self.has_average:
            return self.averaged.predict(observation, state, episode_start, deterministic=True)
        return super().predict(observation, state, episode_start, deterministic)


def current_policy(agent: BaseAlgorithm) -> BasePolicy | None:
    """The policy of an agent's current weights, where its own deterministic actions are those of an average.

    Args:
        agent: The agent.

    Returns:
        An object with Stable-Baselines3's `predict`; None if the agent acts by its current weights anyway.
    """
    return agent.policy.current if isinstance(agent.policy, ActsByAverage) else None


def acting_policy(policy: BasePolicy) -> BasePolicy:
    """The policy that deterministic actions come from: the policy itself, or an average of its weights."""
    return policy.acting if isinstance(policy, ActsByAverage) else policy


def check_decay(decay: float | None) -> None:
    """Refuse a decay that is not in [0, 1); None passes.

    Raises:
        SettingsError: Another number.
    """
    if decay is not None and not 0 <= decay < 1:
        raise SettingsError(f"actor_ema_decay must be at least 0 and below 1, got {decay}.")
