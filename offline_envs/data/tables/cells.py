"""Cells of a column, which may be anything, as an array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.tables.table import Table
from offline_envs.errors import DatasetError

LARGEST = float(np.finfo(np.float32).max)

NUMBERS = "fiub"
"""Kinds of NumPy's types that are numbers."""

EXACT = 2.0**53
"""From here on float64 cannot tell integers apart, e.g. times in nanoseconds that name episodes."""


def exact_numbers(floats: NDArray[np.float64], cells: Sequence[Any]) -> NDArray[Any]:
    """Return numbers as integers if they are some that float64 cannot tell apart, else as they are.

    Args:
        floats: The numbers, `(n,)`.
        cells: What they were read from.
    """
    if not (np.abs(floats) >= EXACT).any() or any(isinstance(cell, float | np.floating) for cell in cells):
        return floats
    try:
        integers: NDArray[np.int64] = np.array([int(cell) for cell in cells], dtype=np.int64)
    except (TypeError, ValueError, OverflowError):  # an empty cell, a fraction in a text, a larger number
        return floats
    return integers if (integers == floats).all() else floats


def array_of_cells(table: Table, name: str, cells: Sequence[Any]) -> NDArray[Any]:
    """Turn Python objects into numbers `(n,)` or `(n, k)`, texts `(n,)`, or leave them as objects `(n,)`.

    None is an empty cell: NaN, in every number of a list.

    Raises:
        DatasetError: Lists of different lengths, or a list among other things.
    """
    given = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, list | tuple | np.ndarray) for cell in given):
        return _stacked(table, name, cells)
    if all(isinstance(cell, bool | int | float | np.number | np.bool_) for cell in given):
        floats = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
        return exact_numbers(floats, cells)
    if given and all(isinstance(cell, str) for cell in given) and len(given) == len(cells):
        return np.array(cells, dtype=np.str_)
    objects = np.empty(len(cells), dtype=object)
    objects[:] = cells
    return objects


def _stacked(table: Table, name: str, cells: Sequence[Any]) -> NDArray[Any]:
    length = next(len(cell) for cell in cells if isinstance(cell, list | tuple | np.ndarray))
    rows = np.full((len(cells), length), np.nan)
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            values = np.asarray(cell, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (length,):
            raise DatasetError(
                f"{table.source}: column {name!r} must hold {length} numbers in every row, as in its first; "
                f"{table.place(row)} holds {_short(cell)}."
            )
        rows[row] = values
    return rows


def numbers(table: Table, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return a column of numbers as it is.

    Raises:
        DatasetError: It holds something else.
    """
    if values.dtype.kind in NUMBERS:
        return values
    row = next((i for i, cell in enumerate(values) if not _is_number(cell)), 0)
    raise DatasetError(
        f"{table.source}: column {name!r} must hold numbers; {table.place(row)} holds {_short(values[row])}. "
        "Turn texts and categories into numbers first, or leave the column out of columns=."
    )


def check_complete(table: Table, name: str, values: NDArray[Any], needed: NDArray[np.bool_]) -> None:
    """Refuse empty cells and numbers that float32 cannot hold, except in rows where none is needed.

    Args:
        table: The table, for the message.
        name: Name of the column.
        values: Numbers `(n,)` or `(n, k)`.
        needed: Rows that need one, bool `(n,)`.
    """
    if values.dtype.kind != "f":
        return
    cells = values.reshape(len(values), -1)
    bad = ~(np.abs(cells) <= LARGEST).all(axis=1) & needed
    if bad.any():
        row = int(np.argmax(bad))
        first = cells[row][~(np.abs(cells[row]) <= LARGEST)][0]
        what = "is empty (NaN)" if np.isnan(first) else f"holds {first}"
        raise DatasetError(
            f"{table.source}: column {name!r} must hold a finite number in every row; {int(bad.sum())} of "
            f"{len(values)} do not, the first: {table.place(row)} {what}. Fill it, or leave out the whole "
            "episode: rows around a hole are no step of the system."
        )


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _short(cell: Any) -> str:
    text = repr(cell.item() if isinstance(cell, np.generic) else cell)
    return text if len(text) <= 60 else f"{text[:57]}..."
