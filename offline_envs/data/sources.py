"""`SOURCES`: the kinds of dataset that a string or a path may name, one row each."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from offline_envs.data.array_source import transitions_from_npz
from offline_envs.data.d4rl_source import transitions_from_d4rl
from offline_envs.data.minari_ids import minari_data_path
from offline_envs.data.minari_source import open_minari, transitions_from_minari
from offline_envs.data.transitions import Transitions
from offline_envs.errors import DatasetError
from offline_envs.registry import Registry

ID_LIKE = re.compile(r"[-\w][-\w/]*")
"""A string without a dot or a leading slash is an id; a folder of such a name must be given as a `Path`."""

Name = str | os.PathLike[str]
"""What the user passes: an id or a path."""


@dataclass(frozen=True)
class Source:
    """A kind of dataset that a string or a path names.

    Attributes:
        valid: Description of what it reads, for messages and help, e.g. `"a path to an .npz archive"`.
        find: Maps the name to the file or folder that holds the data; None if the name is not of this kind.
            It may download. A dataset in memory is reused until the file, or a file below the folder,
            changes.
        read: Reads that file or folder as transitions, see `Transitions` and `transitions_from_arrays`.
    """

    valid: str
    find: Callable[[Name], Path | None]
    read: Callable[[Path], Transitions]


def _minari_id(name: Name) -> Path | None:
    return minari_data_path(name) if isinstance(name, str) and ID_LIKE.fullmatch(name) else None


def _minari_folder(name: Name) -> Path | None:
    path = Path(name).expanduser()
    if isinstance(name, str) and ID_LIKE.fullmatch(name):
        return None
    if path.name == "main_data.hdf5" and path.with_name("metadata.json").exists():
        return _existing(path).parent
    return next((p for p in (path, path / "data") if (p / "metadata.json").is_file()), None)


def _d4rl_file(name: Name) -> Path | None:
    path = Path(name).expanduser()
    if path.suffix not in (".hdf5", ".h5") or path.is_dir() or _minari_folder(name) is not None:
        return None
    return _existing(path)


def _npz_archive(name: Name) -> Path | None:
    path = Path(name).expanduser()
    return _existing(path) if path.suffix == ".npz" else None


def _read_minari(path: Path) -> Transitions:
    return transitions_from_minari(open_minari(path))


SOURCES: Registry[Source] = Registry(
    "dataset source",
    {
        "minari": Source("a Minari id ([namespace/]name-vN)", _minari_id, _read_minari),
        "d4rl": Source("a path to a D4RL .hdf5 or .h5 file", _d4rl_file, transitions_from_d4rl),
        "npz": Source("a path to an .npz archive", _npz_archive, transitions_from_npz),
        "minari-folder": Source("a path to the folder of a Minari dataset", _minari_folder, _read_minari),
    },
)
"""Every source by name. Sources that other packages register are tried first, the latest before earlier
ones."""


def find_source(name: Name) -> tuple[Path, Callable[[Path], Transitions]]:
    """Find the file or folder that a name refers to, and the function that reads it.

    Raises:
        DatasetError: No source knows the name; the message says what is valid.
    """
    for source in reversed([*SOURCES.values()]):
        path = source.find(name)
        if path is not None:
            return path, source.read
    raise DatasetError(
        f"dataset={str(name)!r} is neither a dataset nor a known kind of file; give {valid_datasets()}."
    )


def valid_datasets() -> str:
    """Describe everything that can be given as a dataset."""
    named = ", ".join(source.valid for source in SOURCES.values())
    return f"{named}, a MinariDataset, a mapping of arrays, a Transitions, or a list of these"


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.")
    return path
