"""`Table`: named columns of one length, whatever holds them."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from offline_envs.errors import DatasetError


class Table(Protocol):
    """Rows in order, one a step, in columns that are read when they are asked for."""

    @property
    def source(self) -> str:
        """What it is, for messages."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Names of its columns, without those that hold neither numbers nor texts."""
        ...

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read columns by name: numbers `(n,)` or `(n, k)`, NaN for empty cells; times or texts `(n,)`."""
        ...

    def place(self, row: int) -> str:
        """Say where a row is, counted from 0."""
        ...

    def dimension_names(self, name: str, k: int) -> list[str]:
        """Name the k numbers that a cell of a column holds."""
        ...

    def unit(self, name: str) -> str | None:
        """The unit of a column; None if the table does not say it."""
        ...

    def with_ids(self, name: str) -> "Table":
        """The same table, whose column of this name holds ids: what differs in it stays different."""
        ...


class PlainPlaces:
    """A table whose rows have numbers only, and whose cells have no names or units of their own."""

    def place(self, row: int) -> str:
        """Say where a row is, counted from 0."""
        return f"row {row}"

    def dimension_names(self, name: str, k: int) -> list[str]:
        """Name the k numbers that a cell of a column holds, by their numbers."""
        return [f"{name}[{i}]" for i in range(k)]

    def unit(self, name: str) -> str | None:
        """The unit of a column: none is known."""
        del name  # Unused.
        return None

    def with_ids(self, name: str) -> Self:
        """The same table, whose column of this name holds ids: its type says what differs."""
        del name  # Unused.
        return self


def optional_package(name: str, needed_for: str) -> Any:
    """Import a package that only some tables need.

    Args:
        name: Name of the module.
        needed_for: What needs it, for the message.

    Raises:
        DatasetError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise DatasetError(
            f"{needed_for} needs {name} ({error}). Install it: pip install 'offline-envs[tables]'."
        ) from error


def imported_class(module: str, name: str) -> Any:
    """A class of a package if something has imported that already, else None: an object of it implies so."""
    return getattr(sys.modules.get(module), name, None)
