"""`TrainResult`: the final figures of a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainResult:
    """Final figures of a run, all undiscounted returns.

    Attributes:
        seed: Seed of the run.
        dataset_mean: Mean episode return of the dataset.
        dataset_best: Best episode return of the dataset.
        predicted_return: Return that the model predicts for the last policy.
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
    predicted_return: float
    real_return: float
    real_std: float
    n_episodes: int
    normalized_score: float | None
    score_source: str | None
    rank_correlation: float | None
    n_exploded: int
    gradient_steps: int
