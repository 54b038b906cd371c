"""One-step errors of a model on real steps, with its uncertainty."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import to_columns
from offline_envs.dynamics import DELTA, DynamicsModel, MaskedModel, measure
from offline_envs.evaluation.chunks import predict_in_chunks
from offline_envs.evaluation.intervals import mixture_quantile
from offline_envs.evaluation.ranking import rank_correlation
from offline_envs.evaluation.recorder import EpisodeRecorder
from offline_envs.evaluation.scoring import EvaluationResult, evaluate_in
from offline_envs.evaluation.uncertainty import measured_members
from offline_envs.policies import Predictor


@dataclass(frozen=True)
class PredictionError:
    """Errors of an ensemble's predictions on `m` real steps.

    Attributes:
        error: Distance of the elites' mean from the true next observation, float32 `(m,)`, raw units; of
            known columns, which no step takes from the model, nothing.
        quantile: Quantile of the truth in the elites' mixture of Gaussians, float64 `(m, 1 + d)` for
            (reward, next_obs), uniform on [0, 1] if calibrated; None for deterministic members.
    """

    error: Tensor
    quantile: Tensor | None


@dataclass(frozen=True, eq=False)
class ModelError:
    """Uncertainty and error of one-step predictions for `m` real steps.

    Attributes:
        uncertainty: u(obs, action), `(m,)`, before its coefficient.
        error: Distance of the elites' mean prediction from the true next observation, `(m,)`, raw units; of
            known columns, which no step takes from the model, nothing.
    """

    uncertainty: NDArray[np.float32]
    error: NDArray[np.float32]

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's correlation of the two, in [−1, 1]; None if one of them is constant."""
        return rank_correlation(torch.from_numpy(self.uncertainty), torch.from_numpy(self.error))


def prediction_error(
    ensemble: DynamicsModel, obs: Tensor, actions: Tensor, rewards: Tensor, next_obs: Tensor
) -> PredictionError:
    """Compare the predictions of an ensemble's elites with real steps.

    Args:
        ensemble: The model, on any device.
        obs: Observations, float32 `(m, d)`, on the CPU.
        actions: Actions, float32 `(m, k)`.
        rewards: True rewards, float32 `(m,)`.
        next_obs: True next observations, float32 `(m, d)`.
    """
    errors, quantiles = [], []
    for rows, prediction in predict_in_chunks(ensemble, obs, actions):
        elites = prediction.members(ensemble.elites)
        true = torch.cat([rewards[rows, None], next_obs[rows] - obs[rows]], dim=1).to(elites.mean.device)
        missed = true[:, DELTA] - elites.mean.mean(dim=0)[:, DELTA]
        errors.append(_distance(ensemble, missed).cpu())
        if ensemble.probabilistic:
            quantiles.append(mixture_quantile(elites, true).cpu())
    return PredictionError(torch.cat(errors), torch.cat(quantiles) if quantiles else None)


def evaluate_with_error(
    env: gym.Env[Any, Any],
    policy: Predictor | Callable[[Any], Any],
    ensemble: DynamicsModel,
    *,
    penalty: str,
    penalty_members: str,
    n_episodes: int,
    seed: int,
) -> tuple[EvaluationResult, ModelError]:
    """Score a policy in the real environment, and measure the model's error on each of its steps.

    Args:
        env: Real environment.
        policy: The policy, see `evaluate_in`.
        ensemble: The model.
        penalty: Name of the uncertainty measure.
        penalty_members: Members that the measure reads, `"all"` or `"elites"`.
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
    actions = to_columns(env.action_space, actions)
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
    penalty_members: str = "all",
) -> ModelError:
    """Measure uncertainty and error of the model on real steps.

    Args:
        ensemble: The model.
        obs: Observations, float32 `(m, d)`.
        actions: Actions, float32 `(m, k)`.
        next_obs: True next observations, float32 `(m, d)`.
        penalty: Name of the uncertainty measure.
        penalty_members: Members that the measure reads, `"all"` or `"elites"`.
    """
    elites = ensemble.elites
    uncertainty, error = [], []
    for rows, prediction in predict_in_chunks(ensemble, obs, actions):
        before, after = obs[rows].to(elites.device), next_obs[rows].to(elites.device)
        mean = before + prediction.mean[elites].mean(dim=0)[:, DELTA]
        uncertainty.append(measure(penalty)(measured_members(ensemble, prediction, penalty_members)))
        error.append(_distance(ensemble, after - mean))
    return ModelError(torch.cat(uncertainty).cpu().numpy(), torch.cat(error).cpu().numpy())


def _distance(model: DynamicsModel, missed: Tensor) -> Tensor:
    """Length of what a model missed of the next observation, `(m, d)`, in the columns that it predicts."""
    if isinstance(model, MaskedModel):
        known = model.outputs[model.outputs > 0] - 1  # output 0 is the reward
        missed = missed.index_fill(1, known, 0.0)
    distance: Tensor = torch.linalg.vector_norm(missed, dim=1)
    return distance
