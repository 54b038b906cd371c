"""Columns of numbers that a model learns badly: constant, of other scales, with outliers, too coarse."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.health.findings import listed
from offline_envs.data.tables.names import obs_names
from offline_envs.data.transitions import Transitions

NEARLY_CONSTANT = 1e-3
"""Standard deviation of a column that is nearly constant, as a share of its largest value."""

SCALES_APART = 1e3
"""Ratio of standard deviations from which columns have very different scales."""

OUTLIER = 20.0
"""Distance from the mean, in standard deviations, from which a value is an outlier."""

COARSE_STEP = 4
"""Size of a typical step, in distances of neighbouring float32 numbers, that is coarse."""


@dataclass(frozen=True)
class Column:
    """A column of numbers and its spread.

    Attributes:
        name: Its own, see `obs_names`, or `"rewards"`.
        values: float32 `(n,)`.
        std: Its standard deviation, exactly 0 if it is constant.
        largest: Its largest absolute value.
    """

    name: str
    values: NDArray[np.float32]
    std: float
    largest: float

    @classmethod
    def of(cls, name: str, values: NDArray[np.float32]) -> "Column":
        """Measure a column."""
        low, high = float(values.min()), float(values.max())
        std = 0.0 if low == high else float(values.std(dtype=np.float64))
        return cls(name, values, std, max(-low, high))


def observation_columns(transitions: Transitions) -> list[Column]:
    """Every column of the observations."""
    obs = transitions.obs.numpy()
    return [Column.of(name, obs[:, i]) for i, name in enumerate(obs_names(transitions))]


def all_columns(transitions: Transitions) -> list[Column]:
    """Every column of the observations, and the rewards."""
    return [*observation_columns(transitions), Column.of("rewards", transitions.rewards.numpy())]


def constant_columns(transitions: Transitions) -> str:
    """Columns that never change."""
    names = [column.name for column in all_columns(transitions) if column.std == 0]
    return f"{listed(names)}: there is nothing to learn from what never changes" if names else ""


def nearly_constant_columns(transitions: Transitions) -> str:
    """Columns that change by less than `NEARLY_CONSTANT` of their size."""
    found = [
        f"{column.name} ({column.largest:.3g}, deviation {column.std:.2g})"
        for column in observation_columns(transitions)
        if 0 < column.std < NEARLY_CONSTANT * column.largest
    ]
    return f"{listed(found)}: subtract an offset, or leave out what is only noise" if found else ""


def scales(transitions: Transitions) -> str:
    """Deviations of columns or rewards that lie `SCALES_APART`."""
    moving = sorted((c for c in all_columns(transitions) if c.std > 0), key=lambda column: column.std)
    if not moving or moving[-1].std < SCALES_APART * moving[0].std:
        return ""
    small, large = moving[0], moving[-1]
    return (
        f"deviations reach from {small.std:.2g} ({small.name}) to {large.std:.2g} ({large.name}): "
        "choose units in which they are alike"
    )


def outliers(transitions: Transitions) -> str:
    """Values more than `OUTLIER` deviations from the mean of their column."""
    found = []
    for column in all_columns(transitions):
        if column.std == 0:
            continue
        distances = np.abs(column.values - column.values.mean(dtype=np.float64)) / column.std
        count = int((distances > OUTLIER).sum())
        if count:
            row = int(distances.argmax())
            found.append(f"{column.name} ({count}, the furthest {column.values[row]:.4g} in row {row})")
    return f"{listed(found)}: are they faults of a sensor?" if found else ""


def float32_steps(transitions: Transitions) -> str:
    """Columns whose typical step is hardly larger than the distance of neighbouring float32 numbers."""
    obs, next_obs = transitions.obs.numpy(), transitions.next_obs.numpy()
    found, labels = [], obs_names(transitions)
    for i in range(transitions.obs_dim):
        before = obs[:, i].astype(np.float64)
        steps = np.abs(next_obs[:, i] - before)
        moving = steps > 0
        if moving.any() and np.median((steps / np.spacing(np.abs(obs[:, i])))[moving]) < COARSE_STEP:
            found.append(f"{labels[i]} ({1 - moving.mean():.0%} of its steps are 0)")
    return f"{listed(found)}: subtract an offset before loading" if found else ""
