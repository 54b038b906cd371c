"""`PenaltyMeter`: the penalty of (obs, action) pairs, for wrappers around any environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics
from offline_envs.envs.assembly import check_measurable, penalizer
from offline_envs.envs.model_lookup import is_learned, layers, model_of
from offline_envs.mdp.mdp import row_chunks
from offline_envs.mdp.member_selection import EvaluatedMembers
from offline_envs.mdp.pessimism import Penalize


@dataclass(frozen=True)
class PenaltyMeter:
    """Computes λ·u(obs, action) for an environment.

    Attributes:
        env: The environment; its layers say in which rows the reward was replaced.
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
            SettingsError: An unknown name, a negative coefficient, or what `model_of` refuses.
        """
        penalize = penalizer(penalty_coef=penalty_coef, penalty=penalty, penalty_members=penalty_members)
        evaluated = EvaluatedMembers.of(model_of(env, obs_space, action_space, model), penalty_members)
        check_measurable(evaluated.ensemble.settings, penalty, penalty_members)
        return cls(env, evaluated, penalize)

    @property
    def learned(self) -> bool:
        """Whether the environment is a learned one, whose rewards are float32 numbers."""
        return is_learned(self.env)

    def __call__(self, obs: Tensor, action: Tensor) -> Tensor:
        """Penalty of each row, `(B,)`, of the step that `env` took last."""
        device = self.ensemble.elites.device
        replaced = torch.zeros(len(obs), dtype=torch.bool, device=device)
        for layer in layers(self.env):
            replaced |= getattr(layer, "reward_replaced", replaced).to(device)
        chunks = row_chunks(obs.to(device), action.to(device), replaced)
        return torch.cat([self.penalize.penalty(self.ensemble.predict(o, a), r) for o, a, r in chunks])
