"""Read NumPy's archives, with declared sizes compared with those of the file before memory is asked for."""

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_MOST_INFLATED = 1032
"""Bytes that deflate can make of one: a larger ratio is declared by an archive that lies."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an `.npz` archive; nothing is unpickled.

    Raises:
        ValueError: An array declares more, or less, than the archive holds, or holds objects.
        OSError: The file is missing or cannot be read.
        zipfile.BadZipFile: The file is no archive, is truncated, or its own checksums do not fit.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            _check_stored(member, path.stat().st_size)
            with archive.open(member) as file:
                _check_declared(member.filename, file, member.file_size)
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _check_stored(member: zipfile.ZipInfo, file_size: int) -> None:
    inflated = 1 if member.compress_type == zipfile.ZIP_STORED else _MOST_INFLATED
    if member.compress_size > file_size or member.file_size > inflated * member.compress_size:
        raise ValueError(
            f"{member.filename} declares {member.file_size} bytes, but the whole archive has {file_size}"
        )


def _check_declared(name: str, file: IO[bytes], size: int) -> None:
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(file)
    declared = file.tell() + math.prod(shape) * dtype.itemsize
    if declared != size and not dtype.hasobject:
        raise ValueError(f"{name} declares an array of {declared} bytes, but holds {size}")
