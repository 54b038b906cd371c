"""Files of full episodes, end to end in flat arrays."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray

from offline_envs.evaluation import info_shapes, infos_of, keep_shared_infos, shared_infos
from offline_envs.files import read_arrays

Arrays = dict[str, NDArray[Any]]

_INFO = "infos/"  # prefix of an info's name
_ROWS_PER_STEP = ("actions", "rewards", "terminations", "truncations")


def write_episodes(path: Path, episodes: Sequence[EpisodeBuffer]) -> None:
    """Write episodes to an `.npz` file, with the infos that all of them have.

    Args:
        path: File to write.
        episodes: At least one, as `EpisodeRecorder` makes them.
    """
    keep_shared_infos(episodes)
    arrays: Arrays = {
        name: np.concatenate([np.asarray(getattr(episode, name)) for episode in episodes])
        for name in ("observations", *_ROWS_PER_STEP)
    }
    for name in infos_of(episodes[0]):
        arrays[_INFO + name] = np.concatenate([infos_of(episode)[name] for episode in episodes])
    arrays["lengths"] = np.array([len(episode) for episode in episodes])
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's annotation takes the names for its own option


def read_episodes(paths: Sequence[Path]) -> Iterator[EpisodeBuffer]:
    """Read the episodes of several files in order, one file in memory at a time.

    Yields:
        Episodes as they were written, with the infos that all files have.
    """
    shared = shared_infos(set(_shapes_in(path)) for path in paths)
    for path in paths:
        yield from _split(read_arrays(path), {name for name, _ in shared})


def _split(arrays: Arrays, infos: set[str]) -> Iterator[EpisodeBuffer]:
    ends = np.cumsum(arrays["lengths"])
    for number, (length, end) in enumerate(zip(arrays["lengths"], ends, strict=True)):
        steps = slice(end - length, end)
        # Each earlier episode has one more observation than steps.
        rows = slice(end - length + number, end + number + 1)
        columns: dict[str, Any] = {name: arrays[name][steps] for name in _ROWS_PER_STEP}
        yield EpisodeBuffer(
            observations=arrays["observations"][rows],  # type: ignore[arg-type]  # Minari says lists
            infos={name: arrays[_INFO + name][rows] for name in sorted(infos)},
            **columns,
        )


def _shapes_in(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    arrays = read_arrays(path)
    return info_shapes({n.removeprefix(_INFO): arrays[n] for n in arrays if n.startswith(_INFO)})
