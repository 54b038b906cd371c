"""Read arrays from HDF5 files: what the file itself stores, and no more than it stores.

An HDF5 file may point to others: by links, by arrays whose numbers lie in raw files, and by virtual arrays. A
dataset from a stranger could so show any file of this machine as its rewards, which is refused.

Uses h5py's low-level functions: a Minari file has five or more small arrays per episode, and the high-level
objects cost more time than the reading itself.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5d, h5f, h5g, h5i, h5l, h5o, h5s
from numpy.typing import NDArray

from offline_envs.data.stored.declared import SMALL, check_declared
from offline_envs.errors import DatasetError

MOST_LINKS = 16
"""Soft links that are followed from one to the next, as HDF5's own limit."""

ITS_OWN = "a dataset must hold its own numbers: copy them into it"
"""Rule and remedy, for messages."""


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
    except MemoryError as error:
        raise DatasetError(f"{path} does not fit into the memory of this machine: {error}") from error
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
    """Open the group called `name` in a group.

    Raises:
        DatasetError: It is no group, or lies in another file.
    """
    item = _item(group, name.encode())
    if not isinstance(item, h5g.GroupID):
        raise DatasetError(f"{_where(group, name)} must be a group.")
    return item


def read(group: Any, name: str) -> NDArray[Any]:
    """Read the array called `name` in a group, with the dtype of the file.

    Raises:
        DatasetError: It is no array, lies in another file, or declares more numbers than the file can hold.
    """
    return _read(_item(group, name.encode()), group, name)


def read_all(group: Any) -> dict[str, NDArray[Any]]:
    """Read all arrays in a group and its subgroups like `read`, by their names with slashes."""
    return {name: _read(item, group, name) for name, item in _arrays(group, "", {group})}


def read_as_float32(group: Any, name: str) -> NDArray[Any]:
    """Read the array called `name` in a group like `read`, real numbers directly as float32."""
    return _read(_item(group, name.encode()), group, name, real=np.float32)


def array_names(group: Any) -> list[str]:
    """Return the names of all arrays in a group and its subgroups, with slashes.

    Raises:
        DatasetError: An item lies in another file, or a group has two names, so that there may be no end.
    """
    return [name for name, _ in _arrays(group, "", {group})]


class Rows:
    """An array in a file that `read` accepts, of which some rows are read when they are asked for.

    Attributes:
        dtype: Type of the numbers in the file.
    """

    def __init__(self, group: Any, name: str) -> None:
        self._dataset = _item(group, name.encode())
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


def _arrays(group: Any, prefix: str, seen: set[Any]) -> Iterator[tuple[str, Any]]:
    for name in names(group):
        item = _item(group, name.encode())
        if not isinstance(item, h5g.GroupID):
            yield f"{prefix}{name}", item
        elif item in seen:
            raise DatasetError(f"{_where(group, name)} is another name of a group: each may have one.")
        else:
            seen.add(item)
            yield from _arrays(item, f"{prefix}{name}/", seen)


def _item(group: Any, path: bytes, links: int = MOST_LINKS) -> Any:
    """Open an item by names with slashes, one after the other: HDF5 itself would follow them anywhere."""
    item = group
    for part in filter(None, path.split(b"/")):
        if not isinstance(item, h5g.GroupID):
            raise DatasetError(f"{_where(group, path.decode())} leads through an array.")
        kind = item.links.get_info(part).type
        if kind == h5l.TYPE_HARD:
            item = h5o.open(item, part)
        elif kind == h5l.TYPE_SOFT and links:
            target = item.links.get_val(part)
            item = _item(_root(item) if target.startswith(b"/") else item, target, links - 1)
        else:
            outside = "is a link to another file" if kind != h5l.TYPE_SOFT else "is one of too many links"
            raise DatasetError(f"{_where(group, path.decode())} {outside}; {ITS_OWN}.")
    return item


def _read(dataset: Any, group: Any, name: str, real: type[np.floating[Any]] | None = None) -> NDArray[Any]:
    """Read an array whose numbers the file itself stores.

    Args:
        dataset: The array.
        group: A group that it is in, for messages.
        name: Its name there.
        real: Type of real numbers, or None for that of the file.
    """
    if not isinstance(dataset, h5d.DatasetID):
        raise DatasetError(f"{_where(group, name)} must be an array.")
    if dataset.get_offset() is None and _is_elsewhere(dataset):  # the first is quicker, and true of most
        raise DatasetError(f"{_where(group, name)} lies in other files; {ITS_OWN}.")
    shape = dataset.shape
    if shape is None:
        raise DatasetError(f"{_where(group, name)} is an array without a shape.")
    size = math.prod(shape) * dataset.dtype.itemsize
    if size > SMALL:  # asking for more is slow
        _check_size(dataset, f"{_where(group, name)}, {shape} {dataset.dtype},", size)
    array = np.empty(shape, real if real is not None and dataset.dtype.kind == "f" else dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, array)
    return array


def _is_elsewhere(dataset: Any) -> bool:
    creation = dataset.get_create_plist()
    return bool(creation.get_layout() == h5d.VIRTUAL or creation.get_external_count())


def _check_size(dataset: Any, what: str, size: int) -> None:
    stored = min(dataset.get_storage_size(), h5i.get_file_id(dataset).get_filesize())
    check_declared(what, size, stored, compressed=dataset.get_create_plist().get_nfilters() > 0)


def _root(item: Any) -> Any:
    return h5g.open(h5i.get_file_id(item), b"/")


def _where(group: Any, name: str) -> str:
    return f"{os.fsdecode(h5f.get_name(group))}: {name!r}"
