"""`MetricsRow`: what one evaluation found, and the CSV file of all of them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from offline_envs.errors import CheckpointError


@dataclass(frozen=True)
class MetricsRow:
    """One evaluation during training, in both worlds; returns are undiscounted.

    Attributes:
        gradient_steps: Gradient steps taken so far.
        timesteps: Model transitions collected so far.
        real_return: Mean return in the real environment.
        real_std: Standard deviation of its episodes.
        real_length: Their mean number of steps.
        normalized_score: D4RL's score of the mean, or None where it is not defined.
        predicted_return: Mean return that the model predicts; None without a model.
        seconds: Time since the run began, without the time between its interruptions.
    """

    gradient_steps: int
    timesteps: int
    real_return: float
    real_std: float
    real_length: float
    normalized_score: float | None
    predicted_return: float | None
    seconds: float

    @classmethod
    def from_cells(cls, cells: Mapping[str, str]) -> Self:
        """Read a row from the text of its cells by column; an empty one is None."""
        values = {name: float(text) if text else None for name, text in cells.items()}
        counts = {name: int(cells[name]) for name in ("gradient_steps", "timesteps")}
        return cls(**{**values, **counts})  # type: ignore[arg-type]


def metrics_text(rows: Sequence[MetricsRow]) -> str:
    """All rows as CSV, under a line of column names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[f.name for f in fields(MetricsRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def read_metrics(path: Path) -> list[MetricsRow]:
    """Read rows back; none if there is no such file.

    Raises:
        CheckpointError: The file is not one that `metrics_text` gave.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [MetricsRow.from_cells(row) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
