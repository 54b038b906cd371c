"""Rows of a table as episodes: where each begins, and whether its rows are evenly spaced in time."""

import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.tables.cells import EXACT, NUMBERS
from offline_envs.data.tables.table import Table
from offline_envs.errors import DatasetError

MISSING = 0.5
"""How far a time step may be from the usual one, as a share of it: a missing row doubles a step."""

UNEVEN = 0.1
"""From which share on there is a warning."""


def episode_starts(table: Table, name: str, ids: NDArray[Any]) -> NDArray[np.int64]:
    """First row of every episode `(e,)`, ascending: the first row, and those whose id is not the last one's.

    Args:
        table: The table, for messages.
        name: Column of the ids.
        ids: Numbers or texts `(n,)`.

    Raises:
        DatasetError: An id is missing, or comes back after another.
    """
    _check_ids(table, name, ids)
    starts: NDArray[np.int64] = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])).astype(np.int64)
    _, first = np.unique(ids[starts], return_index=True)
    if len(first) < len(starts):
        again = np.ones(len(starts), dtype=bool)
        again[first] = False
        row = int(starts[np.argmax(again)])
        raise DatasetError(
            f"{table.source}: rows of an episode must follow one another; episode {ids[row].item()!r} in "
            f"column {name!r} begins again in {table.place(row)}. Sort the rows by episode and time, or give "
            "each episode an id of its own."
        )
    return starts


def _check_ids(table: Table, name: str, ids: NDArray[Any]) -> None:
    if ids.ndim != 1 or ids.dtype.kind not in (*NUMBERS, "U"):
        row = next((i for i, cell in enumerate(ids) if not isinstance(cell, str | int)), 0)
        raise DatasetError(
            f"{table.source}: column {name!r} must tell episodes apart by a number or a text in every row; "
            f"{table.place(row)} holds {ids[row]!r}."
        )
    empty = np.isnan(ids) if ids.dtype.kind == "f" else ids == "" if ids.dtype.kind == "U" else ids != ids
    if empty.any():
        row = int(np.argmax(empty))
        raise DatasetError(f"{table.source}: column {name!r}, the episode, is empty in {table.place(row)}.")
    if ids.dtype.kind == "f" and (np.abs(ids) >= EXACT).any():
        row = int(np.argmax(np.abs(ids) >= EXACT))
        raise DatasetError(
            f"{table.source}: column {name!r} must tell episodes apart by integers, numbers below 2**53, or "
            f"texts; {table.place(row)} holds {ids[row]:.17g}, which may stand for several."
        )


def check_even_times(table: Table, name: str, times: NDArray[Any], starts: NDArray[np.int64]) -> None:
    """Refuse rows that are missing, repeated or out of order, by the times of an episode's rows.

    The usual step is the median of all.

    Args:
        table: The table, for messages.
        name: Column of the times.
        times: Numbers, times, or ISO texts `(n,)`.
        starts: First row of every episode.

    Raises:
        DatasetError: A step differs from the usual one by more than half of it, or a time is none.

    Warns:
        UserWarning: How many steps differ by more than a tenth.
    """
    seconds = _seconds(table, name, times)
    inside = np.ones(max(len(seconds) - 1, 0), dtype=bool)
    inside[starts[1:] - 1] = False
    rows = np.flatnonzero(inside)
    if len(rows) == 0:
        return
    steps = seconds[rows + 1] - seconds[rows]
    usual = float(np.median(steps))
    off = np.abs(steps - usual) > MISSING * abs(usual)
    if usual <= 0 or off.any():
        at = int(rows[np.argmax(off)] if off.any() else rows[0])
        raise DatasetError(
            f"{table.source}: rows of an episode must be evenly spaced in column {name!r}, {usual:.6g} "
            f"apart; from {table.place(at)} to the next it is {seconds[at + 1] - seconds[at]:.6g}. Fill "
            "what is missing, or begin another episode there; columns={'time': False} does not look at it."
        )
    uneven = int((np.abs(steps - usual) > UNEVEN * usual).sum())
    if uneven:
        warnings.warn(
            f"{table.source}: {uneven} of {len(steps)} steps in column {name!r} differ by more than "
            f"{UNEVEN:.0%} from the usual {usual:.6g}. A model takes them for equal: resample the rows.",
            stacklevel=2,
        )


def _seconds(table: Table, name: str, times: NDArray[Any]) -> NDArray[np.float64]:
    kind = times.dtype.kind
    if times.ndim == 1 and kind == "M":
        counts = (times - times[0]).astype("timedelta64[ns]")
        seconds: NDArray[np.float64] = counts.astype(np.float64) / 1e9
        seconds[np.isnat(counts)] = np.nan
    elif times.ndim == 1 and kind in NUMBERS:
        seconds = times.astype(np.float64)
    else:
        seconds = np.array([_second(table, name, row, cell) for row, cell in enumerate(times)])
    if not np.isfinite(seconds).all():
        row = int(np.argmin(np.isfinite(seconds)))
        raise DatasetError(f"{table.source}: column {name!r}, the time, is empty in {table.place(row)}.")
    return seconds


def _second(table: Table, name: str, row: int, cell: Any) -> float:
    try:
        moment = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        raise DatasetError(
            f"{table.source}: column {name!r} must hold numbers or ISO times such as 2026-01-31T12:00:00; "
            f"{table.place(row)} holds {cell!r}."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
