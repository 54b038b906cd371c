"""`load_transitions`: load any kind of dataset as checked transitions."""

import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, TypeAlias

from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from minari import MinariDataset

from offline_envs.data.array_source import transitions_from_arrays
from offline_envs.data.concatenation import concatenate
from offline_envs.data.environments.overrides import Overrides
from offline_envs.data.health.obs_bounds import within_bounds
from offline_envs.data.history.stacking import with_history
from offline_envs.data.minari_source import transitions_from_minari
from offline_envs.data.sources import Name, find_source, valid_datasets
from offline_envs.data.spaces.discrete import DiscreteSpace
from offline_envs.data.tables.bounds import check_observed_bounds
from offline_envs.data.tables.columns import Columns, ColumnsChoice
from offline_envs.data.tables.frames import table_in_memory
from offline_envs.data.tables.opening import Frame, NamedTable, is_name, opened_table, with_columns
from offline_envs.data.tables.steps import transitions_from_table
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import check_size, check_transitions
from offline_envs.errors import DatasetError


class RecentlyLoaded:
    """Cache of the `size` most recently used datasets; thread-safe."""

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
    str
    | os.PathLike[str]
    | MinariDataset
    | Mapping[str, Any]
    | Frame
    | NamedTable
    | Transitions
    | Sequence["DatasetSource"]
)
"""Minari id, path, `MinariDataset`, mapping of arrays, a frame of pandas, Hugging Face or pyarrow, a
`NamedTable`, `Transitions`, or a list of any of these."""

N_CACHED = 8
_recent = RecentlyLoaded(N_CACHED)


def load_transitions(
    dataset: DatasetSource,
    *,
    columns: ColumnsChoice | None = None,
    env_id: str | EnvSpec | None = None,
    action_space: Box | DiscreteSpace | None = None,
    min_size: int = 1,
    trust_dataset: bool = False,
    history: int = 1,
) -> Transitions:
    """Load a dataset once, check it, and return it as flat float32 tensors on the CPU.

    The last few datasets loaded by id or path are kept in memory and shared, until their files change.

    Args:
        dataset: A Minari id: looked up under `MINARI_DATASETS_PATH`, among the embedded datasets, and then
            downloaded. Or a path or another name that one of `SOURCES` knows, a `MinariDataset` (its filtered
            episodes only), a mapping of arrays (see `transitions_from_arrays`), a pandas DataFrame, Hugging
            Face Dataset or pyarrow Table, a `Transitions`, or a list of any of these, which are concatenated.
        columns: What the columns of a table (a frame, CSV, Parquet or LeRobot) are: a mapping of the keys of
            `Columns`, or a TOML file that holds them. What is left out is found by the columns' names.
        env_id: Environment of the data, instead of the one that their metadata name: an id, or a
            specification with keywords, e.g. `gym.make("Ant-v4", use_contact_forces=True).spec`.
        action_space: Space of the actions, instead of that of `env_id` or of the metadata: a Box, or a
            `Discrete` or `MultiDiscrete`, whose recorded choices become one-hot numbers. Arrays and files
            that know neither are taken to have actions in [−1, 1].
        min_size: Smallest number of transitions accepted.
        trust_dataset: Whether `Transitions.make_env` may run whatever code the metadata name. Only for data
            whose author you trust.
        history: Number of recorded observations that each observation of the result holds, see
            `with_history`.

    Raises:
        DatasetError: The dataset cannot be found or read, is not what it claims to be, breaks a rule of
            `check_transitions`, or does not fit `env_id`.
        SettingsError: No valid `history` or `columns`.

    Warns:
        UserWarning: Episodes are longer than the time limit of their environment, or mostly shorter than the
            history; or observations lie outside the bounds of their space.
    """
    transitions = _load(
        with_columns(dataset, columns), Overrides.of(env_id, action_space, trust_dataset=trust_dataset)
    )
    check_observed_bounds(transitions)
    check_size(transitions.source, len(transitions), min_size)
    return with_history(transitions, history)


def _load(dataset: DatasetSource, overrides: Overrides) -> Transitions:
    if is_name(dataset):
        return _load_named(dataset, None, overrides)
    if isinstance(dataset, NamedTable):
        if is_name(dataset.data):
            return _load_named(dataset.data, Columns.of(dataset.columns), overrides)
        table = opened_table(dataset.data)
        return _checked(transitions_from_table(table, dataset.columns), overrides)
    frame = table_in_memory(dataset)
    if frame is not None:
        return _checked(transitions_from_table(frame), overrides)
    if isinstance(dataset, Transitions):
        return _checked(dataset, overrides)
    if isinstance(dataset, MinariDataset):
        return _checked(transitions_from_minari(dataset), overrides)
    if isinstance(dataset, Mapping):
        return _checked(transitions_from_arrays(dataset), overrides)
    if isinstance(dataset, Sequence):
        return concatenate([_load(part, overrides) for part in dataset])
    raise DatasetError(f"dataset= must be {valid_datasets()}; received {type(dataset).__name__}.")


def _load_named(name: Name, columns: Columns | None, overrides: Overrides) -> Transitions:
    path, source, read = find_source(name, columns)
    stamp = (source, _stamp(path), None if columns is None else columns.key)
    # The inner entry lets a file be read once for several overrides.
    return _recent.get(
        (stamp, overrides.key), lambda: _checked(_recent.get(stamp, lambda: read(path)), overrides)
    )


def _checked(transitions: Transitions, overrides: Overrides) -> Transitions:
    placed = overrides.applied_to(transitions)
    check_transitions(placed)
    placed = within_bounds(placed)
    _warn_of_time_limit(placed)
    return placed


def _warn_of_time_limit(transitions: Transitions) -> None:
    limit = None if transitions.env_spec is None else transitions.env_spec.max_episode_steps
    longest = int(transitions.episode_lengths.max())
    if limit is not None and longest > limit:
        warnings.warn(
            f"{transitions.source} has episodes of up to {longest} steps, but its environment "
            f"{transitions.env_id} ends after {limit} (max_episode_steps): scores there are compared with "
            "returns of longer episodes. Name one with their limit by env_id=, or mark where episodes end.",
            stacklevel=2,
        )


def _stamp(path: Path) -> Hashable:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stats = [(str(file.resolve()), file.stat()) for file in files]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
