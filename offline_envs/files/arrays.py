"""Read NumPy's archives, with declared sizes compared with what is stored before memory is asked for."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_SUFFIX = ".npy"

_MOST_INFLATED = 1032
"""Bytes that deflate can make of one: a larger ratio is declared by an archive that lies."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""What `zipfile` raises for archives that are truncated, altered, encrypted or packed in other ways."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Readers of the header of each version; the third is for field names, which no array here has."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an archive that `numpy.savez` wrote; nothing is unpickled.

    Returns:
        Arrays by name; what is no array as text of its bytes, which nothing takes for numbers.

    Raises:
        ValueError: The file is no such archive, is truncated, or its own checksums do not fit; or an array
            declares more, or less, than the archive holds, or holds objects.
        OSError: The file is missing or cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = path.stat().st_size
            return {m.filename.removesuffix(_SUFFIX): _read(archive, m, size) for m in archive.infolist()}
    except _BROKEN as error:
        raise ValueError(f"the archive is truncated or altered: {error}") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, archive_size: int) -> NDArray[Any]:
    _check_stored(member, archive_size)
    if not member.filename.endswith(_SUFFIX):
        return np.array(archive.read(member))
    with archive.open(member) as file:
        _check_declared(member, file)
    with archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return array


def _check_stored(member: zipfile.ZipInfo, archive_size: int) -> None:
    inflated = 1 if member.compress_type == zipfile.ZIP_STORED else _MOST_INFLATED
    if member.compress_size > archive_size or member.file_size > inflated * member.compress_size:
        raise ValueError(
            f"{member.filename} declares {member.file_size:,} bytes, but the whole archive has "
            f"{archive_size:,}"
        )


def _check_declared(member: zipfile.ZipInfo, file: IO[bytes]) -> None:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"{member.filename} has a header of version {version}")
    shape, _, dtype = _HEADERS[version](file)
    declared = file.tell() + math.prod(shape) * dtype.itemsize
    if declared != member.file_size and not dtype.hasobject:
        raise ValueError(
            f"{member.filename} declares an array of {declared:,} bytes, but holds {member.file_size:,}"
        )
