"""Read arrays from HDF5 files.

Uses h5py's low-level functions: a Minari file has five or more small arrays per episode, and the high-level
objects cost more time than the reading itself.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5d, h5f, h5g, h5o, h5s
from numpy.typing import NDArray

from offline_envs.errors import DatasetError


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading and yield its root group.

    Raises:
        DatasetError: The file is missing, is not HDF5, or is truncated, which may only show while it is read.
    """
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.")
    if not h5f.is_hdf5(os.fsencode(path)):
        raise DatasetError(f"{path} is not an HDF5 file.")
    try:
        file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY)
        try:
            yield h5g.open(file, b"/")
        finally:
            file.close()
    except DatasetError:
        raise
    except (
        OSError,
        KeyError,
        RuntimeError,
        ValueError,
    ) as error:  # h5py's, for truncated or missing parts
        raise DatasetError(f"{path} is truncated or altered and cannot be read: {error}") from error


def names(group: Any) -> list[str]:
    """Return the names of a group's items."""
    return [name.decode() for name in group]


def subgroup(group: Any, name: str) -> Any:
    """Open the group called `name` in a group."""
    return h5g.open(group, name.encode())


def read(group: Any, name: str) -> NDArray[Any]:
    """Read the array called `name` in a group, with the dtype of the file."""
    dataset = h5d.open(group, name.encode())
    array = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, array)
    return array


def read_as_float32(group: Any, name: str) -> NDArray[Any]:
    """Read the array called `name` in a group, real numbers directly as float32."""
    dataset = h5d.open(group, name.encode())
    array = np.empty(dataset.shape, np.float32 if dataset.dtype.kind == "f" else dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, array)
    return array


def array_names(group: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of all arrays in a group and its subgroups, with slashes."""
    for name in names(group):
        item = h5o.open(group, name.encode())
        if isinstance(item, h5g.GroupID):
            yield from array_names(item, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}"


class Rows:
    """An array in a file, of which some rows are read when they are asked for.

    Attributes:
        dtype: Type of the numbers in the file.
    """

    def __init__(self, group: Any, name: str) -> None:
        self._dataset = h5d.open(group, name.encode())
        self.dtype: np.dtype[Any] = self._dataset.dtype

    def __len__(self) -> int:
        return int(self._dataset.shape[0])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        shape = (stop - start, *self._dataset.shape[1:])
        array = np.empty(shape, self.dtype)
        space = self._dataset.get_space()
        space.select_hyperslab((start,) + (0,) * (len(shape) - 1), shape)
        self._dataset.read(h5s.create_simple(shape), space, array)
        return array
