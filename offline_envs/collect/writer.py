"""Write episodes as a Minari dataset, completely or not at all."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import minari
import numpy as np
from gymnasium import Space
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_dataset import parse_dataset_id

from offline_envs.collect.work_folder import mark_written
from offline_envs.data import CONTENTS, MINARI_ROOT_VARIABLE, contents_entry, episodes_checksum
from offline_envs.errors import DatasetError
from offline_envs.files import check_writable, moved_by, storage_errors, sync, sync_below, write_bytes

NAMESPACE_FILE = "namespace_metadata.json"
ROOT_SETTING = f"--output-root, or {MINARI_ROOT_VARIABLE},"
"""What moves datasets, for messages."""

_UNFINISHED = "dataset"


@dataclass(frozen=True)
class Provenance:
    """Origin of a dataset, for its metadata.

    Attributes:
        env_spec: Environment, with its keywords.
        observation_space: Space of the observations as stored.
        action_space: Space of the actions as stored.
        algorithm: Name of the algorithm behind the actions.
        description: One or two sentences.
        more: Further entries of the metadata, JSON values by name.
    """

    env_spec: EnvSpec
    observation_space: Box
    action_space: Space[Any]
    algorithm: str
    description: str
    more: Mapping[str, Any] = field(default_factory=dict)


def check_new(dataset_id: str, root: Path) -> None:
    """Check that a dataset id is well formed and not taken.

    Raises:
        DatasetError: The id is malformed, or a dataset of this id exists under `root`.
        StorageError: The system does not let one be written there.
    """
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError) as error:  # TypeError: Minari's parser on an id without a version.
        raise DatasetError(
            f"A dataset id is namespace/name-vN, e.g. 'my/pendulum-replay-v0'; got {dataset_id!r}. "
            "A namespace has at least two characters."
        ) from error
    if (root / dataset_id).exists():
        raise DatasetError(
            f"{root / dataset_id} exists and is never overwritten. Choose another version or another folder."
        )
    check_writable(root / dataset_id, ROOT_SETTING)


def write_dataset(
    dataset_id: str, episodes: Iterable[EpisodeBuffer], *, root: Path, scratch: Path, provenance: Provenance
) -> Path:
    """Write a dataset into a folder for unfinished work, then rename it into place.

    Args:
        dataset_id: Minari id with a version.
        episodes: Full episodes in order, consumed one by one, so that they need not all be in memory.
        root: Minari root to write under.
        scratch: Folder for unfinished work, on the same file system as `root`, that no other process uses.
        provenance: Content of the metadata.

    Returns:
        Folder of the dataset.

    Raises:
        DatasetError: A dataset of this id exists.
        StorageError: The system does not let it be written.
    """
    check_new(dataset_id, root)
    target, hidden = root / dataset_id, scratch / _UNFINISHED
    with moved_by(ROOT_SETTING), storage_errors(target):
        shutil.rmtree(hidden, ignore_errors=True)  # a killed process left it
        hidden.mkdir(parents=True)
        try:
            _create(dataset_id, episodes, hidden, provenance)
            sync_below(hidden)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_namespaces(dataset_id, hidden, root)
            check_new(dataset_id, root)  # Somebody may have written it in the meantime.
            mark_written(scratch)
            (hidden / dataset_id).rename(target)
            sync(target.parent)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    return target


def _create(dataset_id: str, episodes: Iterable[EpisodeBuffer], root: Path, provenance: Provenance) -> None:
    with _minari_root(root):
        dataset = minari.create_dataset_from_buffers(
            dataset_id,
            [],
            env=provenance.env_spec,
            eval_env=provenance.env_spec,
            observation_space=provenance.observation_space,
            action_space=provenance.action_space,
            algorithm_name=provenance.algorithm,
            author="offline-envs",
            author_email="",
            code_permalink="",
            description=provenance.description,
            data_format="hdf5",
        )
        dataset.storage.update_episodes(episodes)
        data_path = root / dataset_id / "data"
        _repack(data_path / "main_data.hdf5")
        dataset.storage.update_metadata({**provenance.more, "dataset_size": dataset.storage.get_size()})
        contents = contents_entry(data_path, episodes_checksum(data_path))
        dataset.storage.update_metadata({CONTENTS: contents})


def _repack(path: Path) -> None:
    """Store each array in one piece, with a checksum that HDF5 compares when it reads it.

    Minari writes resizable arrays, each with its own index: some 40 kB per episode, ten times the data of a
    short one.
    """
    packed = path.with_suffix(".packed")
    with h5py.File(path, "r") as source, h5py.File(packed, "w", libver="v110") as target:
        for name in sorted(source, key=lambda episode: int(source[episode].attrs["id"])):
            _copy_group(source[name], target.create_group(name))
    packed.replace(path)


def _copy_group(source: h5py.Group, target: h5py.Group) -> None:
    target.attrs.update(source.attrs)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy_group(item, target.create_group(name))
        else:
            _copy_array(name, item[()], target)


def _copy_array(name: str, values: Any, target: h5py.Group) -> None:
    """HDF5 has checksums for pieces of arrays only, and only of numbers."""
    if np.size(values) and np.ndim(values) and np.asarray(values).dtype.kind in "biufc":
        target.create_dataset(name, data=values, chunks=values.shape, fletcher32=True)
    else:
        target.create_dataset(name, data=values)


def _copy_namespaces(dataset_id: str, hidden: Path, root: Path) -> None:
    """Declare each parent of the id a namespace, as Minari does, unless it is one already."""
    for namespace in list(Path(dataset_id).parents)[:-1]:
        if not (root / namespace / NAMESPACE_FILE).exists():
            content = (hidden / namespace / NAMESPACE_FILE).read_bytes()
            write_bytes(root / namespace / NAMESPACE_FILE, content)


@contextmanager
def _minari_root(root: Path) -> Iterator[None]:
    """Point Minari at another root; it has no argument for this."""
    before = os.environ.get(MINARI_ROOT_VARIABLE)
    os.environ[MINARI_ROOT_VARIABLE] = str(root.absolute())  # Minari cannot size a relative folder.
    try:
        yield
    finally:
        if before is None:
            del os.environ[MINARI_ROOT_VARIABLE]
        else:
            os.environ[MINARI_ROOT_VARIABLE] = before
