"""CSV files as tables, read with the standard library."""

import copy
import csv
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.tables.cells import exact_numbers
from offline_envs.data.tables.table import PlainPlaces
from offline_envs.errors import DatasetError

DELIMITERS = ",;\t"
"""What may separate cells: the one that the first line has most of; of equals the first here."""

WORDS = {"": "nan", "true": "1", "false": "0"}
"""Cells that stand for numbers, in small letters."""

PLAIN_NUMBER = re.compile(r"\s*([+-]?[0-9]+(\.[0-9]*)?|nan)?\s*", re.IGNORECASE)
"""Ids that are read as numbers. A person takes 7 and 7.0 for the same, but not 10, 1e1 and 1_0."""

ROWS_AT_ONCE = 50_000
"""Rows whose cells are texts in memory at a time."""


class CsvTable(PlainPlaces):
    """A CSV file in UTF-8 whose first line names the columns.

    A column whose first filled cell is a number, or True or False, holds numbers; any other holds texts. One
    of ids holds numbers only if all of them are plain.

    Args:
        path: The file.

    Raises:
        DatasetError: There is no first line of names, or two are equal.
    """

    def __init__(self, path: Path) -> None:
        self.source = f"CSV file {str(path)!r}"
        self._path = path
        self._ids = ""
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            first = file.readline()
        self._delimiter = max(DELIMITERS, key=first.count)
        self.names = [name.strip() for name in next(self._lines(), (0, []))[1]]
        self._check_names()

    def _check_names(self) -> None:
        if not self.names or all(_is_number(name) for name in self.names):
            raise DatasetError(f"{self.source}: its first line must name the columns, received {self.names}.")
        twice = sorted({name for name in self.names if name and self.names.count(name) > 1})
        if twice:
            raise DatasetError(f"{self.source}: each column must have a name of its own; {twice} are twice.")

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name, in one pass: numbers, NaN where a cell is empty, or texts.

        Raises:
            DatasetError: A line has more or fewer cells than the first, or something else in a column of
                numbers; or there is no row.
        """
        at = {name: self.names.index(name) for name in names}
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in at}
        start = 0
        for rows in self._chunks():
            for name, index in at.items():
                parts[name].append(self._converted(name, [row[index] for row in rows], start, parts[name]))
            start += len(rows)
        if not start:
            raise DatasetError(f"{self.source} has no row below its first line.")
        columns = {name: np.concatenate(chunks) for name, chunks in parts.items()}
        return {name: _ids(column) if name == self._ids else column for name, column in columns.items()}

    def with_ids(self, name: str) -> Self:
        """The same file, whose column of this name holds texts unless all its cells are plain numbers."""
        table = copy.copy(self)
        table._ids = name
        return table

    def place(self, row: int) -> str:
        """Say where a row is, counted from 0, and in which line of the file."""
        lines = self._lines()
        line = next(itertools.islice((number for number, _ in lines), row + 1, None), 0)
        return f"row {row} (line {line})"

    def _converted(self, name: str, cells: list[str], start: int, before: list[NDArray[Any]]) -> NDArray[Any]:
        """Cells of a column from the row `start` on, of the same kind as those before."""
        filled = next((cell for cell in cells if cell.strip()), "")
        if name == self._ids:
            return np.array(cells, dtype=np.str_)
        if before[0].dtype.kind == "U" if before else filled and not _is_number(filled):
            return np.array(cells, dtype=np.str_)
        try:
            return exact_numbers(np.array([*map(_number, cells)], dtype=np.float64), cells)
        except ValueError:
            row = next(i for i, cell in enumerate(cells) if not _is_number(cell))
            raise DatasetError(
                f"{self.source}: column {name!r} must hold numbers, as in the rows before; "
                f"{self.place(start + row)} holds {cells[row]!r}."
            ) from None

    def _chunks(self) -> Iterator[list[list[str]]]:
        lines = self._lines()
        next(lines)
        while rows := [cells for _, cells in itertools.islice(lines, ROWS_AT_ONCE)]:
            yield rows

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Every line that is not blank, with its number from 1 on, the names first."""
        n_cells = None
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=self._delimiter, strict=True)
                for cells in filter(None, reader):
                    n_cells = n_cells or len(cells)
                    if len(cells) != n_cells:
                        raise DatasetError(
                            f"{self.source}: every line must have {n_cells} cells, as the first; line "
                            f"{reader.line_num} has {len(cells)}."
                        )
                    yield reader.line_num, cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise DatasetError(f"{self.source} is no CSV file in UTF-8: {error}.") from error


def _ids(texts: NDArray[np.str_]) -> NDArray[Any]:
    cells = texts.tolist()
    if not all(map(PLAIN_NUMBER.fullmatch, cells)):
        return texts
    return exact_numbers(np.array([*map(_number, cells)], dtype=np.float64), cells)


def _number(cell: str) -> float:
    if "_" in cell:  # Python reads 1_5 as 15
        raise ValueError(cell)
    try:
        return float(cell)
    except ValueError:
        return float(WORDS.get(cell.strip().lower(), cell))


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True
