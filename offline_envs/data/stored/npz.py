"""Read arrays from `.npz` archives; nothing is unpickled."""

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from numpy.lib import format as npy

from offline_envs.data.stored.declared import check_declared
from offline_envs.errors import DatasetError

SUFFIX = ".npy"

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Readers of the header of each version; the third is for field names that no dataset here has."""


def read_npz(path: Path) -> Mapping[str, Any]:
    """Read an archive that `numpy.savez` wrote.

    Returns:
        Arrays by name; None for what is no array.

    Raises:
        DatasetError: The file is not such an archive, holds pickled objects, or declares arrays larger than
            it can hold.
    """
    if not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is not an .npz archive (or is truncated). Write it with numpy.savez.")
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(SUFFIX): _member(archive, info) for info in archive.infolist()}
    except DatasetError:
        raise
    except MemoryError as error:
        raise DatasetError(f"{path} does not fit into the memory of this machine: {error}") from error
    except (
        ValueError,
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DatasetError(
            f"{path} cannot be read: {error} It must hold plain arrays, written with numpy.savez."
        ) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    if not info.filename.endswith(SUFFIX):
        return None
    with archive.open(info) as stream:
        _check_size(archive, info, stream)
    with archive.open(info) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _check_size(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stream: IO[bytes]) -> None:
    """Compare the shape in an array's header with the bytes of its member, and these with the archive's."""
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"{info.filename} has a header of version {version}.")
    shape, _, dtype = HEADERS[version](stream)
    size = math.prod(shape) * dtype.itemsize
    what = f"{archive.filename}: {info.filename!r}, {shape} {dtype},"
    check_declared(what, size, info.file_size, compressed=False)
    assert archive.filename is not None
    stored = min(info.compress_size, Path(archive.filename).stat().st_size)
    check_declared(what, size, stored, compressed=info.compress_type != zipfile.ZIP_STORED)
