"""Read the arrays of a dataset from an `.npz` archive; nothing is unpickled."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_envs.errors import DatasetError
from offline_envs.files import read_arrays


def read_npz(path: Path) -> Mapping[str, Any]:
    """Read an archive that `numpy.savez` wrote.

    Returns:
        Arrays by name; what is no array as text.

    Raises:
        DatasetError: The file is not such an archive, holds pickled objects, or declares arrays larger than
            it can hold.
    """
    if not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is not an .npz archive (or is truncated). Write it with numpy.savez.")
    try:
        return read_arrays(path)
    except MemoryError as error:
        raise DatasetError(f"{path} does not fit into the memory of this machine: {error}") from error
    except (ValueError, OSError) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}. It must hold plain arrays, written with numpy.savez."
        ) from error
