"""How wrong the model is, and how unsure, along real episodes of a policy."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.dynamics import DynamicsModel
from offline_envs.dynamics.prediction import DELTA
from offline_envs.dynamics.uncertainty.measures import measure
from offline_envs.evaluation.recorder import EpisodeRecorder
from offline_envs.evaluation.scoring import EvaluationResult, evaluate_in
from offline_envs.policies import Predictor

CHUNK = 1024
"""Rows predicted at once, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class ModelError:
    """Uncertainty and error of one-step predictions for `m` real steps.

    Attributes:
        uncertainty: u(obs, action), `(m,)`, before its coefficient.
        error: Distance of the elites' mean prediction from the true next observation, `(m,)`, raw units.
    """

    uncertainty: NDArray[np.float32]
    error: NDArray[np.float32]

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's correlation of the two, in [−1, 1]; None if one of them is constant."""
        if np.ptp(self.uncertainty) == 0 or np.ptp(self.error) == 0:
            return None
        return float(np.corrcoef(mean_ranks(self.uncertainty), mean_ranks(self.error))[0, 1])


def mean_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Rank of each value among `(m,)`, from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def evaluate_with_error(
    env: gym.Env[Any, Any],
    policy: Predictor,
    ensemble: DynamicsModel,
    *,
    penalty: str,
    penalty_members: str,
    n_episodes: int,
    seed: int,
) -> tuple[EvaluationResult, ModelError]:
    """Score a policy in the real environment and hold the model against every step of it.

    Args:
        env: Real environment.
        policy: The policy.
        ensemble: The model.
        penalty: Name of the uncertainty measure.
        penalty_members: Whose predictions are measured, `"all"` or `"elites"`.
        n_episodes: Number of episodes.
        seed: Seed of the first.
    """
    recorder = EpisodeRecorder(env)
    result = evaluate_in(recorder, policy, n_episodes=n_episodes, seed=seed)
    episodes = recorder.finish()
    obs, next_obs, actions = (
        torch.from_numpy(np.concatenate(arrays))
        for arrays in (
            [np.asarray(e.observations)[:-1] for e in episodes],
            [np.asarray(e.observations)[1:] for e in episodes],
            [np.asarray(e.actions) for e in episodes],
        )
    )
    measured = one_step_error(
        ensemble, obs, actions, next_obs, penalty=penalty, penalty_members=penalty_members
    )
    return result, measured


def one_step_error(
    ensemble: DynamicsModel,
    obs: Tensor,
    actions: Tensor,
    next_obs: Tensor,
    *,
    penalty: str,
    penalty_members: str,
) -> ModelError:
    """Hold the model against real steps.

    Args:
        ensemble: The model.
        obs: Observations, float32 `(m, d)`.
        actions: Actions, float32 `(m, k)`.
        next_obs: What really followed, float32 `(m, d)`.
        penalty: Name of the uncertainty measure.
        penalty_members: Whose predictions are measured, `"all"` or `"elites"`.
    """
    elites = ensemble.elites
    uncertainty, error = [], []
    for start in range(0, len(obs), CHUNK):
        rows = slice(start, start + CHUNK)
        before, action, after = (tensor[rows].to(elites.device) for tensor in (obs, actions, next_obs))
        prediction = ensemble.predict(before, action)
        mean = before + prediction.mean[elites].mean(dim=0)[:, DELTA]
        measured = prediction if penalty_members == "all" else prediction.members(elites)
        uncertainty.append(measure(penalty)(measured))
        error.append(torch.linalg.vector_norm(after - mean, dim=1))
    return ModelError(torch.cat(uncertainty).cpu().numpy(), torch.cat(error).cpu().numpy())
