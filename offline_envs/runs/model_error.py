"""How wrong the model is, and how unsure, along real episodes of a policy."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from offline_envs.collect.recorder import EpisodeRecorder
from offline_envs.dynamics import EnsembleDynamics
from offline_envs.dynamics.prediction import DELTA
from offline_envs.dynamics.uncertainty import measure
from offline_envs.sb3.evaluation import EvaluationResult, Predictor, evaluate_in


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
    def rank_correlation(self) -> float:
        """Spearman's correlation of the two, in [−1, 1]; NaN if one of them is constant."""
        ranks = [
            np.argsort(np.argsort(values)).astype(np.float64) for values in (self.uncertainty, self.error)
        ]
        if any(np.ptp(values) == 0 for values in (self.uncertainty, self.error)):
            return float("nan")
        return float(np.corrcoef(*ranks)[0, 1])


def evaluate_with_error(
    env: gym.Env[Any, Any],
    policy: Predictor,
    ensemble: EnsembleDynamics,
    *,
    penalty: str,
    n_episodes: int,
    seed: int,
) -> tuple[EvaluationResult, ModelError]:
    """Score a policy in the real environment and hold the model against every step of it.

    Args:
        env: Real environment.
        policy: The policy.
        ensemble: The model.
        penalty: Name of the uncertainty measure.
        n_episodes: Number of episodes.
        seed: Seed of the first.
    """
    recorder = EpisodeRecorder(env)
    result = evaluate_in(recorder, policy, n_episodes=n_episodes, seed=seed)
    episodes = recorder.finish()
    obs = np.concatenate([np.asarray(e.observations)[:-1] for e in episodes])
    next_obs = np.concatenate([np.asarray(e.observations)[1:] for e in episodes])
    actions = np.concatenate([np.asarray(e.actions) for e in episodes])
    return result, _one_step_error(ensemble, obs, actions, next_obs, penalty)


def _one_step_error(
    ensemble: EnsembleDynamics,
    obs: NDArray[np.float32],
    actions: NDArray[np.float32],
    next_obs: NDArray[np.float32],
    penalty: str,
) -> ModelError:
    device = ensemble.elites.device
    tensors = [
        torch.as_tensor(a, dtype=torch.float32, device=device).split(1024) for a in (obs, actions, next_obs)
    ]
    uncertainty, error = [], []
    for before, action, after in zip(*tensors, strict=True):
        prediction = ensemble.predict(before, action)
        mean = before + prediction.mean[ensemble.elites].mean(dim=0)[:, DELTA]
        uncertainty.append(measure(penalty)(prediction))
        error.append(torch.linalg.vector_norm(after - mean, dim=1))
    return ModelError(torch.cat(uncertainty).cpu().numpy(), torch.cat(error).cpu().numpy())
