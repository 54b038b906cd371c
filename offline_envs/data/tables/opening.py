"""`NamedTable`: a dataset together with what its columns are."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

from offline_envs.data.tables.columns import ColumnsChoice
from offline_envs.data.tables.frames import MappingTable, table_in_memory
from offline_envs.data.tables.table import Table
from offline_envs.errors import DatasetError


@runtime_checkable
class Frame(Protocol):
    """A frame of pandas, Hugging Face or pyarrow: what they have in common, for the type of datasets."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of rows and columns."""
        ...

    def filter(self, *args: Any, **kwargs: Any) -> Any:
        """Select some of it."""
        ...


@dataclass(frozen=True, eq=False)
class NamedTable:
    """A dataset together with what its columns are.

    Attributes:
        data: A frame of pandas, Hugging Face or pyarrow, a mapping of columns, or an id or path of a table.
        columns: What its columns are, see `Columns`.
    """

    data: Any
    columns: ColumnsChoice


def with_columns(dataset: Any, columns: ColumnsChoice | None) -> Any:
    """Join a dataset, or each of a list, and what its columns are; as it is without that."""
    if columns is None:
        return dataset
    if isinstance(dataset, Sequence) and not isinstance(dataset, str):
        return [with_columns(part, columns) for part in dataset]
    return NamedTable(dataset, columns)


def is_name(data: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a dataset is given by a text or a path."""
    return isinstance(data, str | os.PathLike)


def opened_table(data: Any) -> Table:
    """Open what is in memory and has named columns.

    Raises:
        DatasetError: It has none.
    """
    table = table_in_memory(data)
    if table is not None:
        return table
    if isinstance(data, Mapping):
        return MappingTable(data)
    raise DatasetError(
        "columns= says what the columns of a table are: of a DataFrame, a Hugging Face Dataset, a mapping of "
        f"columns, a CSV or Parquet file or a LeRobot folder; received {type(data).__name__}, which says so "
        "itself. Leave columns= out."
    )
