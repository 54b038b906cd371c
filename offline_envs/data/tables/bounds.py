"""Space of a table's actions: the bounds that are given, or else those of the data."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.data.tables.columns import Columns
from offline_envs.data.tables.table import Table
from offline_envs.data.transitions import Transitions
from offline_envs.errors import DatasetError, SettingsError

MAX_CHOICES = 32
"""Largest number of choices of an action that whole numbers are taken for."""

ROWS_PER_CHOICE = 4
"""Rows for each choice below which nothing is guessed."""


def action_box(table: Table, columns: Columns, actions: NDArray[np.float32]) -> Box:
    """Make the action space of a table.

    Bounds that the data give may be equal: another table or the environment may yet tell, see
    `check_observed_bounds`.

    Args:
        table: The table, for messages.
        columns: What may give bounds.
        actions: The actions, `(n, k)`.

    Raises:
        SettingsError: Bounds for another number of dimensions.
        DatasetError: In some dimension low does not lie below high.
    """
    low = _bound("action_low", columns.action_low, actions.min(axis=0))
    high = _bound("action_high", columns.action_high, actions.max(axis=0))
    _check_order(table.source, low, high, ~(low <= high) if observed_bounds(columns) else ~(low < high))
    return Box(low, high, dtype=np.float32)


def check_observed_bounds(transitions: Transitions) -> None:
    """Refuse bounds of actions that are those of the data, where the data hold one value.

    Raises:
        DatasetError: In some dimension they do.
    """
    if transitions.observed_bounds:
        low, high = transitions.action_space.low, transitions.action_space.high
        _check_order(transitions.source, low, high, ~(low < high))


def _check_order(source: str, low: NDArray[Any], high: NDArray[Any], wrong: NDArray[np.bool_]) -> None:
    bad = np.flatnonzero(wrong)
    if len(bad):
        raise DatasetError(
            f"{source}: in every dimension low must lie below high; dimension {bad[0]} of the action "
            f"reaches from {low[bad[0]]} to {high[bad[0]]}. Leave out what never changes, or give "
            "columns={'action_low': ..., 'action_high': ...}."
        )


def observed_bounds(columns: Columns) -> frozenset[str]:
    """Which bounds of `action_box` are those of the data, `"low"` and `"high"`, as columns give none."""
    given = {"low": columns.action_low, "high": columns.action_high}
    return frozenset(bound for bound, value in given.items() if value is None)


def possible_choices(columns: Columns, actions: NDArray[np.float32]) -> list[int] | None:
    """Number of choices in each dimension of actions that may be choices, taken for real numbers.

    Args:
        columns: Bounds that they give say that actions are none.
        actions: The actions, `(n, k)`.

    Returns:
        m for a dimension that varies and holds all whole numbers from 0 to m − 1, at most `MAX_CHOICES`, and
        no other; None if some dimension does not.
    """
    given = (columns.action_low, columns.action_high) != (None, None)
    if given or (actions[:1000] % 1 != 0).any():  # the latter tells at once in ordinary data
        return None
    found = [np.unique(column) for column in actions.T]
    most = min(MAX_CHOICES, len(actions) // ROWS_PER_CHOICE)
    if all(2 <= len(v) <= most and np.array_equal(v, np.arange(len(v))) for v in found):
        return [len(values) for values in found]
    return None


def _bound(key: str, given: float | tuple[float, ...] | None, found: NDArray[Any]) -> NDArray[np.float32]:
    if given is None:
        return found.astype(np.float32)
    values = np.asarray(given, dtype=np.float32)
    if values.ndim == 1 and len(values) != len(found):
        raise SettingsError(
            f"columns: {key} must be one number or {len(found)}, one for each dimension of the action; "
            f"got {len(values)}."
        )
    return np.broadcast_to(values, found.shape)
