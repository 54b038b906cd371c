"""What a table's columns hold, by what they mean: numbers, flags, vectors and their names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.tables.cells import check_complete, numbers
from offline_envs.data.tables.columns import Columns
from offline_envs.data.tables.table import Table
from offline_envs.errors import DatasetError

Cells = Mapping[str, NDArray[Any]]
"""Columns by name."""


def rewards(table: Table, columns: Columns, cells: Cells, needed: NDArray[np.bool_]) -> NDArray[Any]:
    """Rewards `(n,)`, finite where they are needed."""
    if not isinstance(columns.reward, str):
        return np.full(len(needed), columns.reward, dtype=np.float64)
    values = numbers(table, columns.reward, single(table, columns.reward, cells))
    check_complete(table, columns.reward, values, needed)
    return values


def flags(table: Table, name: str, cells: Cells, needed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A column of 0 and 1, which may be empty where it is not needed: that counts as 0."""
    values = numbers(table, name, single(table, name, cells))
    other = (values != 0) & (values != 1) & (needed | (values == values))
    if other.any():
        row = int(np.argmax(other))
        raise DatasetError(
            f"{table.source}: column {name!r} must hold 0 or 1, or False or True; {table.place(row)} holds "
            f"{values[row]}."
        )
    marked: NDArray[np.bool_] = values == 1
    return marked


def single(table: Table, name: str, cells: Cells) -> NDArray[Any]:
    """A column with one value a row; LeRobot has lists of one."""
    values = cells[name]
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 1:
        raise DatasetError(
            f"{table.source}: column {name!r} must hold one value in every row, not {values.shape[1:]}."
        )
    return values


def matrix(table: Table, names: Sequence[str], cells: Cells) -> NDArray[Any]:
    """Columns beside each other, `(n, d)`.

    Raises:
        DatasetError: One holds something else than a number or a list of numbers in every row.
    """
    parts = [numbers(table, name, cells[name]) for name in names]
    for name, part in zip(names, parts, strict=True):
        if part.ndim > 2:
            raise DatasetError(
                f"{table.source}: column {name!r} must hold a number or a list of numbers in every row, got "
                f"arrays of shape {part.shape[1:]}. Flatten them; images cannot be learned from."
            )
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def check_matrix(table: Table, names: Sequence[str], cells: Cells, needed: NDArray[np.bool_]) -> None:
    """Refuse empty cells in the rows that need them all."""
    for name in names:
        check_complete(table, name, cells[name], needed)


def dimension_names(table: Table, columns: Columns, names: Sequence[str], cells: Cells) -> list[str]:
    """Name of every dimension of `matrix`, with its unit where that is known."""
    named: list[str] = []
    for name in names:
        values, unit = cells[name], columns.units.get(name) or table.unit(name)
        own = [name] if values.ndim == 1 else table.dimension_names(name, values.shape[1])
        named += [f"{one} [{unit}]" if unit else one for one in own]
    return named
