"""`PenaltyMeter`: the penalty of (obs, action) pairs, for wrappers around any environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics
from offline_envs.envs.assembly import check_measurable, penalizer, resolve_model
from offline_envs.envs.evaluated_members import EvaluatedMembers
from offline_envs.envs.learned_env import LearnedEnv, learned_spaces
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.envs.mdp import CPU_CHUNK, GPU_CHUNK
from offline_envs.envs.pessimism import Penalize
from offline_envs.errors import SettingsError


@dataclass(frozen=True)
class PenaltyMeter:
    """Computes λ·u(obs, action) for an environment.

    Attributes:
        env: The innermost environment; a learned one says which rows exploded.
        ensemble: The members whose predictions are measured.
        penalize: The penalty.
    """

    env: Any
    ensemble: EvaluatedMembers
    penalize: Penalize

    @classmethod
    def for_env(
        cls,
        env: Any,
        obs_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        model: str | Path | EnsembleDynamics | None,
        penalty_coef: float,
        penalty: str,
        penalty_members: str,
    ) -> Self:
        """Check the settings and find the model.

        Raises:
            SettingsError: An unknown name, a negative coefficient, spaces that are not flat boxes, a model
                of other dimensions, no model, or a learned environment in other units than its model's.
        """
        penalize = penalizer(penalty_coef=penalty_coef, penalty=penalty, penalty_members=penalty_members)
        for name, space in (("observation", obs_space), ("action", action_space)):
            if not isinstance(space, Box) or len(space.shape) != 1:
                raise SettingsError(f"The {name} space must be a Box of one dimension, got {space}.")
        model = getattr(env, "ensemble", None) if model is None else model
        if model is None:
            raise SettingsError(
                f"{env} is not a learned environment, so it has no model to measure with. "
                "Pass model=, a folder written by `offline-envs fit` or an EnsembleDynamics."
            )
        device = str(getattr(env, "device", "cpu"))
        obs_dim, action_dim = obs_space.shape[0], action_space.shape[0]  # type: ignore[index]
        if isinstance(env, LearnedEnv | LearnedVectorEnv):
            _check_direct(env, obs_space, action_space)
        ensemble = resolve_model(model, obs_dim, action_dim, device=device)
        evaluated = EvaluatedMembers.of(ensemble, penalty_members)
        check_measurable(evaluated, penalty)
        return cls(env, evaluated, penalize)

    @property
    def learned(self) -> bool:
        """Whether the environment is a learned one, whose rewards are float32 numbers."""
        return isinstance(self.env, LearnedEnv | LearnedVectorEnv)

    def __call__(self, obs: Tensor, action: Tensor) -> Tensor:
        """Penalty of each row, `(B,)`, of the step that `env` took last."""
        device = self.ensemble.elites.device
        exploded = getattr(self.env, "exploded", torch.zeros(len(obs), dtype=torch.bool)).to(device)
        size = CPU_CHUNK if device.type == "cpu" else GPU_CHUNK
        rows = [torch.split(tensor.to(device), size) for tensor in (obs, action, exploded)]
        return torch.cat(
            [self.penalize.penalty(self.ensemble.predict(o, a), e) for o, a, e in zip(*rows, strict=True)]
        )


def _check_direct(
    env: LearnedEnv | LearnedVectorEnv, obs_space: gym.Space[Any], action_space: gym.Space[Any]
) -> None:
    """Refuse a wrapper that changes observations or actions before the penalty is measured."""
    for space, learned in zip((obs_space, action_space), learned_spaces(env.transitions), strict=True):
        if space != learned:
            raise SettingsError(
                f"The penalty must be applied directly to the learned environment, in its units: got {space} "
                f"instead of {learned}. Put wrappers that change observations or actions outside."
            )
