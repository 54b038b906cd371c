"""`TrainResult`: the final figures of a run."""

from dataclasses import dataclass
from typing import Self

from offline_envs.data import Transitions
from offline_envs.runs.settings import TrainSettings
from offline_envs.sb3 import EvaluationResult


@dataclass(frozen=True)
class TrainResult:
    """Final figures of a run, all undiscounted returns.

    Attributes:
        seed: Seed of the run.
        dataset_mean: Mean episode return of the dataset.
        dataset_best: Best episode return of the dataset.
        predicted_return: Return that the model predicts for the last policy; None without a model.
        real_return: Mean real return of the last policy.
        real_std: Standard deviation of its episodes.
        n_episodes: Number of real episodes.
        normalized_score: D4RL's score of the mean, or None where it is not defined.
        score_source: Where the scale of that score comes from.
        rank_correlation: Between the model's uncertainty and its true error, along those episodes; None if
            one of them is constant.
        n_exploded: Imagined steps whose prediction was rejected, since the run was started or last resumed.
        gradient_steps: Gradient steps taken.
    """

    seed: int
    dataset_mean: float
    dataset_best: float
    predicted_return: float | None
    real_return: float
    real_std: float
    n_episodes: int
    normalized_score: float | None
    score_source: str | None
    rank_correlation: float | None
    n_exploded: int
    gradient_steps: int

    @classmethod
    def of(
        cls,
        settings: TrainSettings,
        transitions: Transitions,
        found: EvaluationResult,
        *,
        gradient_steps: int,
        predicted_return: float | None = None,
        rank_correlation: float | None = None,
        n_exploded: int = 0,
    ) -> Self:
        """Put the figures of a run together; see the attributes."""
        return cls(
            seed=settings.seed,
            dataset_mean=float(transitions.episode_returns.mean()),
            dataset_best=float(transitions.episode_returns.max()),
            predicted_return=predicted_return,
            real_return=found.mean,
            real_std=found.std,
            n_episodes=len(found.returns),
            normalized_score=found.normalized_score,
            score_source=found.source,
            rank_correlation=rank_correlation,
            n_exploded=n_exploded,
            gradient_steps=gradient_steps,
        )
