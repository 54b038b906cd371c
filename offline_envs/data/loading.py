"""`load_transitions`: whatever holds a dataset, as checked transitions."""

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, TypeAlias

from gymnasium.spaces import Box
from minari import MinariDataset

from offline_envs.data.array_source import transitions_from_arrays, transitions_from_npz
from offline_envs.data.concatenation import concatenate
from offline_envs.data.d4rl_source import transitions_from_d4rl
from offline_envs.data.environment import Setting
from offline_envs.data.minari_ids import minari_data_path
from offline_envs.data.minari_source import open_minari, transitions_from_minari
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import check_size, check_transitions
from offline_envs.errors import DatasetError


class RecentlyLoaded:
    """Keeps the `size` datasets used last; safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, Transitions] = OrderedDict()
        self._lock = RLock()

    def get(self, key: Hashable, load: Callable[[], Transitions]) -> Transitions:
        """Return the entry of `key`, after calling `load` if there is none.

        The lock is held while loading, so that two threads do not read the same file twice. `load` may itself
        get another entry.
        """
        with self._lock:
            if key not in self._entries:
                self._entries[key] = load()
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
            return self._entries[key]


DatasetSource: TypeAlias = (
    str | os.PathLike[str] | MinariDataset | Mapping[str, Any] | Transitions | Sequence["DatasetSource"]
)
"""Minari id, path, `MinariDataset`, mapping of arrays, `Transitions`, or a list of any of these."""

VALID = (
    "a Minari id ([namespace/]name-vN), a path to a D4RL .hdf5 or .h5 file, to an .npz archive or to the "
    "folder of a Minari dataset, a MinariDataset, a mapping of arrays, a Transitions, or a list of these"
)

ID_LIKE = re.compile(r"[-\w][-\w/]*")
"""Text without a dot that does not begin with a slash is an id; such a folder must be given as a `Path`."""

N_CACHED = 8
_recent = RecentlyLoaded(N_CACHED)


def load_transitions(
    dataset: DatasetSource, *, env_id: str | None = None, action_space: Box | None = None, min_size: int = 1
) -> Transitions:
    """Load a dataset once, check it, and return it as flat float32 tensors on the CPU.

    The last few datasets loaded by id or path are kept in memory and shared, until their files change.

    Args:
        dataset: A Minari id: looked for under `MINARI_DATASETS_PATH`, among the embedded datasets, and then
            downloaded. Or a path, a `MinariDataset` (its filtered episodes only), a mapping of arrays (see
            `transitions_from_arrays`), a `Transitions`, or a list of any of these, which are concatenated.
        env_id: Environment of the data, instead of the one that their metadata name.
        action_space: Space of the actions, instead of that of `env_id` or of the metadata. Arrays and files
            that know neither are taken to have actions in [−1, 1].
        min_size: Fewest transitions to accept.

    Raises:
        DatasetError: The dataset cannot be found or read, is not what it claims to be, breaks a rule of
            `check_transitions`, or does not fit `env_id`.
    """
    transitions = _load(dataset, Setting.of(env_id, action_space))
    check_size(transitions.source, len(transitions), min_size)
    return transitions


def _load(dataset: DatasetSource, setting: Setting) -> Transitions:
    if isinstance(dataset, str | os.PathLike):
        path, read = _reader(dataset)
        stamp = _stamp(path)
        # The first entry lets two settings of one file share its memory.
        return _recent.get(
            (stamp, setting.key), lambda: _checked(_recent.get(stamp, lambda: read(path)), setting)
        )
    if isinstance(dataset, Transitions):
        return _checked(dataset, setting)
    if isinstance(dataset, MinariDataset):
        return _checked(transitions_from_minari(dataset), setting)
    if isinstance(dataset, Mapping):
        return _checked(transitions_from_arrays(dataset), setting)
    if isinstance(dataset, Sequence):
        return concatenate([_load(part, setting) for part in dataset])
    raise DatasetError(f"dataset= must be {VALID}; received {type(dataset).__name__}.")


def _checked(transitions: Transitions, setting: Setting) -> Transitions:
    placed = setting.applied_to(transitions)
    check_transitions(placed)
    return placed


def _reader(dataset: str | os.PathLike[str]) -> tuple[Path, Callable[[Path], Transitions]]:
    path = Path(dataset).expanduser()
    if isinstance(dataset, str) and ID_LIKE.fullmatch(dataset):
        return minari_data_path(dataset), _read_minari
    if path.suffix == ".npz":
        return _existing(path), transitions_from_npz
    if path.suffix in (".hdf5", ".h5"):
        beside = _existing(path).with_name("metadata.json")
        is_minari = path.name == "main_data.hdf5" and beside.exists()
        return (path.parent, _read_minari) if is_minari else (path, transitions_from_d4rl)
    for folder in (path, path / "data"):
        if (folder / "metadata.json").is_file():
            return folder, _read_minari
    raise DatasetError(
        f"dataset={str(dataset)!r} is neither a dataset nor a known kind of file; give {VALID}."
    )


def _read_minari(path: Path) -> Transitions:
    return transitions_from_minari(open_minari(path))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.")
    return path


def _stamp(path: Path) -> Hashable:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stats = [(str(file.resolve()), file.stat()) for file in files]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
