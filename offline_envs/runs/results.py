"""Figures of a run: `MetricsRow` for each evaluation, in a CSV file, and `TrainResult` at the end."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from offline_envs.data import Transitions
from offline_envs.errors import CheckpointError
from offline_envs.runs.choice.figures import LAST
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import EvaluationResult


@dataclass(frozen=True)
class MetricsRow:
    """One evaluation during training, in the real environment and in the model; returns are undiscounted.

    Attributes:
        gradient_steps: Gradient steps taken so far.
        timesteps: Model transitions collected so far.
        real_return: Mean return in the real environment.
        real_std: Standard deviation of its episodes.
        real_length: Their mean number of steps.
        normalized_score: D4RL's score of the mean, or None where it is not defined.
        predicted_return: Mean return that the model predicts; None without a model.
        seconds: Time since the run began, without the time between its interruptions.
        current_return: Mean real return of the agent's current weights, where its policy is an average of
            weights and the figures above are the average's; None elsewhere, as the next two.
        current_length: Mean number of steps of these episodes.
        current_predicted_return: Mean return that the model predicts for the current weights.
        choice_figure: Figure by which the run chooses its policy; None if it takes the last one.
    """

    gradient_steps: int
    timesteps: int
    real_return: float
    real_std: float
    real_length: float
    normalized_score: float | None
    predicted_return: float | None
    seconds: float
    current_return: float | None = None
    current_length: float | None = None
    current_predicted_return: float | None = None
    choice_figure: float | None = None

    @classmethod
    def of(
        cls,
        found: EvaluationResult,
        *,
        gradient_steps: int,
        seconds: float,
        timesteps: int = 0,
        predicted_return: float | None = None,
        current: EvaluationResult | None = None,
        current_predicted_return: float | None = None,
        choice_figure: float | None = None,
    ) -> Self:
        """Put the figures of an evaluation together; see the attributes."""
        return cls(
            gradient_steps=gradient_steps,
            timesteps=timesteps,
            real_return=found.mean,
            real_std=found.std,
            real_length=found.mean_length,
            normalized_score=found.normalized_score,
            predicted_return=predicted_return,
            seconds=seconds,
            current_return=None if current is None else current.mean,
            current_length=None if current is None else current.mean_length,
            current_predicted_return=current_predicted_return,
            choice_figure=choice_figure,
        )

    @classmethod
    def from_cells(cls, cells: Mapping[str, str]) -> Self:
        """Read a row from the text of its cells by column; an empty one is None."""
        values = {name: float(text) if text else None for name, text in cells.items()}
        counts = {name: int(cells[name]) for name in ("gradient_steps", "timesteps")}
        return cls(**{**values, **counts})  # type: ignore[arg-type]


def metrics_text(rows: Sequence[MetricsRow]) -> str:
    """All rows as CSV, under a line of column names; what few runs have gets a column where it is known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def _columns(rows: Sequence[MetricsRow]) -> list[str]:
    return [
        field.name
        for field in fields(MetricsRow)
        if field.default is MISSING or any(getattr(row, field.name) is not None for row in rows)
    ]


def read_metrics(path: Path) -> list[MetricsRow]:
    """Read rows back; none if there is no such file.

    Raises:
        CheckpointError: The file was not written by `metrics_text`.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [MetricsRow.from_cells(row) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


@dataclass(frozen=True)
class TrainResult:
    """Final figures of a run, all undiscounted returns.

    Attributes:
        seed: Seed of the run.
        dataset_mean: Mean episode return of the dataset.
        dataset_best: Best episode return of the dataset.
        predicted_return: Return that the model predicts for the run's policy; None without a model.
        real_return: Mean real return of the run's policy: the last one, or the one that it chose.
        real_std: Standard deviation of its episodes.
        n_episodes: Number of real episodes.
        normalized_score: D4RL's score of the mean, or None where it is not defined.
        score_source: Where the scale of that score comes from.
        rank_correlation: Between the model's uncertainty and its true error, along those episodes; None if
            one of them is constant.
        n_exploded: Imagined steps whose prediction was rejected, since the run was started or last resumed.
        gradient_steps: Gradient steps taken.
        chosen_by: Figure by which the run's policy was chosen, see `CHOICES`, or `"last"`.
        chosen_step: Gradient steps that this policy had taken; None for the last one.
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
    chosen_by: str = LAST
    chosen_step: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Every figure by name; what was chosen is left out where the last policy was taken."""
        left_out = ("chosen_by", "chosen_step") if self.chosen_by == LAST else ()
        return {name: value for name, value in asdict(self).items() if name not in left_out}

    @classmethod
    def of(
        cls,
        settings: RunSettings,
        transitions: Transitions,
        found: EvaluationResult,
        *,
        gradient_steps: int,
        predicted_return: float | None = None,
        rank_correlation: float | None = None,
        n_exploded: int = 0,
        chosen_step: int | None = None,
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
            chosen_by=settings.choose,
            chosen_step=chosen_step,
        )
