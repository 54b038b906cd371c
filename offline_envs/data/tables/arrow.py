"""Columns of pyarrow, and of Parquet files, as arrays."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.tables.cells import NUMBERS, array_of_cells
from offline_envs.data.tables.table import PlainPlaces, Table, optional_package
from offline_envs.errors import DatasetError


class ParquetTable(PlainPlaces):
    """A Parquet file, or the files of a folder in the order of their paths, as one table.

    Args:
        path: The file or folder.

    Raises:
        DatasetError: pyarrow is missing, there is no such file, or it is not Parquet.
    """

    def __init__(self, path: Path) -> None:
        self._parquet = optional_package("pyarrow.parquet", "A Parquet file")
        self.source = f"Parquet {'folder' if path.is_dir() else 'file'} {str(path)!r}"
        self._root, self._files = path, parquet_files(path)
        self._sizes: list[int] = []
        self._units: dict[str, str] = {}
        self.names: list[str] = []
        for file in self._files:
            about = self._opened(file)
            self._sizes.append(int(about.metadata.num_rows))
            self.names += [name for name in about.schema_arrow.names if name not in self.names]
            self._units = {**units_of(about.schema_arrow), **self._units}

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name, of all files.

        Raises:
            DatasetError: A file lacks one, or is damaged.
        """
        wanted = list(names)
        parts = [self._columns(file, wanted) for file in self._files]
        return {name: self._joined(name, [part[name] for part in parts]) for name in wanted}

    def place(self, row: int) -> str:
        """Say where a row is, counted from 0 over all files, and in which file."""
        if len(self._files) == 1:
            return f"row {row}"
        ends = np.cumsum(self._sizes)
        at = int(np.searchsorted(ends, row, side="right"))
        first = int(ends[at]) - self._sizes[at]
        return f"row {row} (row {row - first} of {self._files[at].relative_to(self._root)})"

    def unit(self, name: str) -> str | None:
        """The unit of a column, see `units_of`."""
        return self._units.get(name)

    def _columns(self, file: Path, wanted: list[str]) -> dict[str, Any]:
        about = self._opened(file)
        missing = [name for name in wanted if name not in about.schema_arrow.names]
        if missing:
            raise DatasetError(
                f"{self.source}: {file.name} lacks the column {missing[0]!r}, which other files have."
            )
        try:
            table = about.read(columns=wanted)
        except OSError as error:  # pyarrow's errors of damaged files are among them
            raise DatasetError(f"{file} is truncated or altered and cannot be read: {error}") from error
        except ValueError as error:  # pyarrow.ArrowInvalid, of empty cells of a fixed length before 26
            raise DatasetError(
                f"{file} cannot be read by pyarrow {version('pyarrow')}: {error}. A newer one may read it."
            ) from error
        return {name: table.column(name) for name in wanted}

    def _joined(self, name: str, parts: list[Any]) -> NDArray[Any]:
        arrays = [array_of_arrow(self, name, part) for part in parts]
        if len({array.shape[1:] for array in arrays}) > 1:
            raise DatasetError(f"{self.source}: column {name!r} must have one shape in all files.")
        kinds = {"a number" if array.dtype.kind in NUMBERS else array.dtype.name for array in arrays}
        if len(kinds) > 1 and not all(array.dtype.kind == "U" for array in arrays):
            raise DatasetError(
                f"{self.source}: column {name!r} must hold one kind of cells in all files, got "
                f"{' and '.join(sorted(kinds))}."
            )
        return np.concatenate(arrays)

    def _opened(self, file: Path) -> Any:
        try:
            return self._parquet.ParquetFile(file)
        except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
            raise DatasetError(f"{file} is not a readable Parquet file: {error}") from error


def parquet_files(path: Path) -> list[Path]:
    """The file, or all Parquet files below the folder, sorted by their paths.

    Raises:
        DatasetError: There is none.
    """
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*.parquet") if file.is_file())
    if not files:
        raise DatasetError(f"There is no Parquet file {path}, nor one below such a folder.")
    return files


def units_of(schema: Any) -> dict[str, str]:
    """Units of columns by name, from the `unit` or `units` in the metadata of fields.

    Args:
        schema: A `pyarrow.Schema`.
    """
    found = {}
    for field in schema:
        about = field.metadata or {}
        unit = about.get(b"unit", about.get(b"units", b""))
        if unit:
            found[field.name] = unit.decode("utf-8", errors="replace")
    return found


def array_of_arrow(table: Table, name: str, column: Any) -> NDArray[Any]:
    """Turn a column of pyarrow into an array; see `Table.read`.

    Args:
        table: The table that it is in, for messages.
        name: Name of the column.
        column: A `pyarrow.ChunkedArray`.
    """
    from pyarrow import compute, types

    kind = column.type
    if types.is_fixed_size_list(kind) and not column.null_count and _is_number_type(kind.value_type):
        values = compute.list_flatten(column)
        if not values.null_count:
            flat: NDArray[Any] = values.to_numpy()
            return flat.reshape(len(column), kind.list_size)
    if types.is_timestamp(kind) or types.is_date(kind):
        return np.asarray(column.to_numpy()).astype("datetime64[ns]")
    if _is_number_type(kind) and not (types.is_boolean(kind) and column.null_count):
        numbers: NDArray[Any] = column.to_numpy()
        return numbers
    return array_of_cells(table, name, column.to_pylist())


def _is_number_type(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))
