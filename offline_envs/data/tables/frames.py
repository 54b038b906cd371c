"""Tables in memory: a pandas DataFrame, a Hugging Face Dataset, a pyarrow Table, a mapping of columns."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.tables.arrow import array_of_arrow, units_of
from offline_envs.data.tables.cells import NUMBERS, array_of_cells, exact_numbers
from offline_envs.data.tables.table import PlainPlaces, Table, imported_class
from offline_envs.data.validation import real_array
from offline_envs.errors import DatasetError


def table_in_memory(data: Any) -> Table | None:
    """Return a frame of pandas, Hugging Face or pyarrow as a table; None for anything else.

    Raises:
        DatasetError: Splits of a dataset, or one that is streamed.
    """
    for module, name, kind in KINDS:
        found = imported_class(module, name)
        if found is not None and isinstance(data, found):
            table: Table = kind(data)
            return table
    for name in ("DatasetDict", "IterableDataset", "IterableDatasetDict"):
        found = imported_class("datasets", name)
        if found is not None and isinstance(data, found):
            raise DatasetError(
                f"A {name} of Hugging Face cannot be read; give one split that is not streamed, e.g. "
                "load_dataset(..., split='train')."
            )
    return None


class PandasTable(PlainPlaces):
    """A pandas DataFrame, whose index is not read."""

    source = "DataFrame"

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = [str(name) for name in frame.columns]
        if not frame.columns.is_unique:
            twice = sorted(set(frame.columns[frame.columns.duplicated()]))
            raise DatasetError(f"DataFrame: each column must have a name of its own; {twice} are twice.")

    def place(self, row: int) -> str:
        """Say where a row is, counted from 0, and its index."""
        index = self._frame.index[row]
        return f"row {row}" if index == row else f"row {row} (index {index})"

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name."""
        return {name: self._column(name) for name in names}

    def _column(self, name: str) -> NDArray[Any]:
        import pandas

        series = self._frame.iloc[:, self.names.index(name)]
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in NUMBERS:
            plain: NDArray[Any] = series.to_numpy()
            return plain
        kinds = pandas.api.types
        if kinds.is_numeric_dtype(series) and not kinds.is_complex_dtype(series):  # truth values are numeric
            return exact_numbers(series.to_numpy(dtype=np.float64, na_value=np.nan), series)
        if kinds.is_datetime64_any_dtype(series):
            times: NDArray[Any] = series.to_numpy(dtype="datetime64[ns]")
            return times
        cells = series.astype(object)
        return array_of_cells(self, name, list(cells.where(cells.notna(), None)))


class HuggingFaceTable(PlainPlaces):
    """A Hugging Face `Dataset`, in whatever format; its cells are read as Arrow holds them."""

    source = "Hugging Face Dataset"

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.names = list(dataset.column_names)

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name."""
        wanted = list(names)
        rows = self._dataset.select_columns(wanted).with_format("arrow")[:]
        return {name: array_of_arrow(self, name, rows.column(name)) for name in wanted}


class ArrowTable(PlainPlaces):
    """A pyarrow Table."""

    source = "pyarrow Table"

    def __init__(self, table: Any) -> None:
        self._table = table
        self.names = list(table.column_names)

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name."""
        return {name: array_of_arrow(self, name, self._table.column(name)) for name in names}

    def unit(self, name: str) -> str | None:
        """The unit of a column, see `units_of`."""
        return units_of(self._table.schema).get(name)


class MappingTable(PlainPlaces):
    """A mapping of columns by name, with `columns=` to say what they are."""

    source = "Columns"

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = columns
        self.names = list(columns)

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name.

        Raises:
            DatasetError: They have different lengths, or hold something else.
        """
        found = {name: self._column(name) for name in names}
        sizes = {name: values.shape[:1] for name, values in found.items()}
        if len(set(sizes.values())) > 1:
            held = ", ".join(f"{name!r} {size[0] if size else 'one cell'}" for name, size in sizes.items())
            raise DatasetError(
                f"{self.source}: every column must have as many rows as the others; got {held}."
            )
        return found

    def _column(self, name: str) -> NDArray[Any]:
        values = self._columns[name]
        if isinstance(values, np.ndarray) and values.dtype.kind in "UM":
            return values
        if isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.dtype.kind == "O"):
            return array_of_cells(self, name, list(values))
        return real_array(self.source, name, values)


KINDS: tuple[tuple[str, str, Any], ...] = (
    ("pandas", "DataFrame", PandasTable),
    ("datasets", "Dataset", HuggingFaceTable),
    ("pyarrow", "Table", ArrowTable),
)
"""Module, class and table of everything in memory."""
