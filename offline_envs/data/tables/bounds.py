"""Space of a table's actions: the bounds that are given, or else those of the data."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.data.tables.columns import Columns
from offline_envs.data.tables.table import Table
from offline_envs.errors import DatasetError, SettingsError


def action_box(table: Table, columns: Columns, actions: NDArray[np.float32]) -> Box:
    """Make the action space of a table.

    Args:
        table: The table, for messages.
        columns: What may give bounds.
        actions: The actions, `(n, k)`.

    Raises:
        SettingsError: Bounds for another number of dimensions.
        DatasetError: In some dimension low does not lie below high, e.g. because the data hold one value.
    """
    low = _bound("action_low", columns.action_low, actions.min(axis=0))
    high = _bound("action_high", columns.action_high, actions.max(axis=0))
    bad = np.flatnonzero(~(low < high))
    if len(bad):
        raise DatasetError(
            f"{table.source}: in every dimension low must lie below high; dimension {bad[0]} of the action "
            f"reaches from {low[bad[0]]} to {high[bad[0]]}. Leave out what never changes, or give "
            "columns={'action_low': ..., 'action_high': ...}."
        )
    return Box(low, high, dtype=np.float32)


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
