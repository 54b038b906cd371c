"""`PenaltyMeter`: the penalty of (obs, action) pairs, for wrappers around any environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import torch
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs import ReplacesRewards, is_learned, layers, model_of
from offline_envs.errors import SettingsError
from offline_envs.mdp import Members, row_chunks
from offline_envs.methods import RAW, Penalize, Penalty
from offline_envs.wrappers.fitted_data import fitted_data


@dataclass(frozen=True)
class PenaltyMeter:
    """Computes λ·u(obs, action) for an environment.

    Attributes:
        env: The environment; its layers say in which rows the reward was replaced.
        members: The members that are measured.
        penalize: The penalty.
    """

    env: Any
    members: Members
    penalize: Penalize

    @classmethod
    def for_env(
        cls,
        env: Any,
        obs_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        model: str | Path | DynamicsModel | None,
        dataset: DatasetSource | None,
        cache_dir: str | Path | None,
        method: Penalty,
    ) -> Self:
        """Find the model, and check that it has what the penalty measures.

        Args:
            env: The environment.
            obs_space: Observation space of one episode.
            action_space: Action space of one episode.
            model: See `model_of`.
            dataset: The data that set the unit of λ, if they do; None means a learned environment's own.
            cache_dir: Cache folder, see `cache_folder`.
            method: The settings.

        Raises:
            SettingsError: A measure that is zero for its members, settings that `model_of` refuses, or a
                dataset where none is needed or none where one is.
        """
        if method.penalty_scale == RAW and dataset is not None:
            raise SettingsError(
                "dataset= is for penalty_scale='data' and 'reward'. Leave it out, or set one of them."
            )
        found = model_of(env, obs_space, action_space, model)
        method.check(found)
        members = Members.of(found, method.members)
        if method.penalty_scale == RAW:
            return cls(env, members, method.penalize())
        transitions = fitted_data(env, dataset, found, needed_by=f"penalty_scale={method.penalty_scale!r}")
        return cls(env, members, method.transform(found, transitions, cache_dir=cache_dir))

    @property
    def learned(self) -> bool:
        """Whether the environment is a learned one, whose rewards are float32 numbers."""
        return is_learned(self.env)

    def __call__(self, obs: Tensor, action: Tensor) -> Tensor:
        """Penalty of each row, `(B,)`, of the step that `env` took last."""
        device = self.members.elites.device
        replaced = torch.zeros(len(obs), dtype=torch.bool, device=device)
        for layer in layers(self.env):
            if isinstance(layer, ReplacesRewards):
                replaced |= layer.reward_replaced.to(device)
        chunks = row_chunks(obs.to(device), action.to(device), replaced)
        return torch.cat([self.penalize.penalty(self.members.predict(o, a), r) for o, a, r in chunks])
