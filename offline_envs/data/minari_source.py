"""Minari datasets as transitions: read once, episode by episode, into flat arrays."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Dict
from minari import MinariDataset
from numpy.typing import NDArray

from offline_envs.data.contents import CONTENTS, ContentsCheck, EpisodesChecksum
from offline_envs.data.environments.learned import real_spec
from offline_envs.data.environments.recorded import believed_or_inert
from offline_envs.data.health.precision import BLOCK, Steps, block_starts, loses_digits, warn_of_lost_steps
from offline_envs.data.infos import InfoRows
from offline_envs.data.minari_metadata import check_metadata, check_steps
from offline_envs.data.spaces.discrete import action_shape, encoded_actions, one_hot_box
from offline_envs.data.spaces.observations import flatten_obs, obs_bounds
from offline_envs.data.stored import hdf5
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import check_size, flags, known_action_space, known_obs_space, real_array
from offline_envs.errors import DatasetError

ABOUT_STORAGE = frozenset(
    {
        "action_space",
        "data_format",
        "dataset_size",
        "env_spec",
        "eval_env_spec",
        "jpeg_encoding",
        "minari_version",
        "num_episodes_average_score",
        CONTENTS,
        "observation_space",
        "ref_max_score",
        "ref_min_score",
        "total_episodes",
        "total_steps",
    }
)
"""Metadata entries that say nothing about where the data come from."""


@dataclass(frozen=True)
class Episode:
    """One episode as Minari stores it: `T` steps and `T + 1` observations."""

    index: int
    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[Any]
    terminations: NDArray[Any]
    infos: Mapping[str, Any] | None

    def arrays(self) -> dict[str, Any]:
        """All arrays by name, infos as `infos/<name>`."""
        steps = ("observations", "actions", "rewards", "terminations")
        infos = {f"infos/{name}": values for name, values in (self.infos or {}).items()}
        return {name: getattr(self, name) for name in steps} | infos


def open_minari(path: Path) -> MinariDataset:
    """Open the dataset whose `metadata.json` lies in the folder `path`.

    Raises:
        DatasetError: The metadata are missing, broken, or of a Minari version that this one cannot read; or
            see `check_metadata`.
    """
    try:
        check_metadata(path)
        return MinariDataset(path)
    except DatasetError:
        raise
    except Exception as error:  # Minari passes on any error, assertions included
        raise DatasetError(f"{path} is not a readable Minari dataset: {error!r}.{_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    """What to do if Gymnasium cannot read a specification, whose error ends like this."""
    if str(error).endswith((" an EnvSpec", " a WrapperSpec")):
        return " Delete env_spec from its metadata.json, and pass env_id= (--env-id)."
    return ""


def transitions_from_minari(dataset: MinariDataset) -> Transitions:
    """Flatten the episodes that `dataset` points to, in its order.

    An episode of `T` steps has `T + 1` observations, so the successor of its last step is the true last
    observation. `terminations` end the MDP; truncations do not. An episode that continues after a termination
    becomes two, with a warning. Data recorded in a learned environment are taken to come from the real one.

    Raises:
        DatasetError: A space is none that a model can be learned for, the file does not match its metadata,
            or either was altered since this package wrote it.
    """
    source = f"Minari dataset {dataset.id!r}"
    obs_space = known_obs_space(source, dataset.observation_space)
    obs_dim = len(obs_bounds(obs_space)[0])
    actions = known_action_space(source, dataset.action_space)
    shape = actions.shape if isinstance(actions, Box) else action_shape(actions)
    size = _total_steps(source, dataset)
    check_size(source, size, 1)
    step_bytes = 4 * (2 * obs_dim + int(np.prod(shape)) + 1) + 1
    check_steps(source, Path(dataset.storage.data_path), size, step_bytes)
    check = ContentsCheck(source, dataset.storage.data_path, len(dataset.episode_indices))
    recorded = None if dataset.env_spec is None else real_spec(dataset.env_spec)
    rows = _FlatRows(source, size, obs_dim, shape)
    for episode in _episodes(dataset):
        rows.add(episode)
        if check.is_active:
            check.add(episode.arrays())
    fields = rows.tensors()
    discrete = None if isinstance(actions, Box) else actions
    if discrete is not None:
        fields["actions"] = encoded_actions(source, discrete, fields["actions"])
    return Transitions(
        **fields,
        action_space=actions if isinstance(actions, Box) else one_hot_box(actions),
        discrete_actions=discrete,
        obs_space=obs_space,
        env_spec=None if recorded is None else _safe_spec(recorded, source),
        recorded_env_spec=recorded,
        source=source,
        metadata=_metadata(dataset),
    )


def episodes_checksum(data_path: Path) -> EpisodesChecksum:
    """Read the episodes of a dataset in HDF5 for the checksum that `transitions_from_minari` compares."""
    found = EpisodesChecksum()
    for episode in _episodes(open_minari(data_path)):
        found.add(episode.arrays())
    return found


def _safe_spec(recorded: EnvSpec, source: str) -> EnvSpec:
    try:
        return believed_or_inert(recorded, source)
    except RecursionError as error:
        raise DatasetError(f"{source}: its env_spec is nested too deeply to be read.") from error


def _metadata(dataset: MinariDataset) -> dict[str, Any]:
    """Metadata about the origin; Minari keeps authors in sets, which JSON lacks."""
    kept = {name: value for name, value in dataset.storage.metadata.items() if name not in ABOUT_STORAGE}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in kept.items()}


def _total_steps(source: str, dataset: MinariDataset) -> int:
    try:
        return int(dataset.total_steps)
    except (OSError, KeyError, TypeError, ValueError, OverflowError) as error:  # filtered: from the file
        raise DatasetError(f"{source} cannot be read: its file is truncated or altered ({error})") from error


def _episodes(dataset: MinariDataset) -> Iterable[Episode]:
    if dataset.storage.FORMAT == "hdf5":
        return _hdf5_episodes(dataset)
    return (
        Episode(int(e.id), _flat(dataset, e.observations), e.actions, e.rewards, e.terminations, e.infos)
        for e in dataset.iterate_episodes()
    )


def _hdf5_episodes(dataset: MinariDataset) -> Iterator[Episode]:
    with hdf5.opened(dataset.storage.data_path / "main_data.hdf5") as root:
        for index in dataset.episode_indices:
            group = hdf5.subgroup(root, f"episode_{index}")
            yield Episode(
                index=int(index),
                observations=_hdf5_observations(dataset, group),
                actions=hdf5.read(group, "actions"),
                rewards=hdf5.read(group, "rewards"),
                terminations=hdf5.read(group, "terminations"),
                infos=_hdf5_infos(group),
            )


def _hdf5_observations(dataset: MinariDataset, group: Any) -> NDArray[Any]:
    if not isinstance(dataset.observation_space, Dict):
        return hdf5.read(group, "observations")
    return _flat(dataset, hdf5.read_all(hdf5.subgroup(group, "observations")))


def _flat(dataset: MinariDataset, observations: Any) -> NDArray[Any]:
    """Recorded observations as one array, also those of a Dict."""
    space = dataset.observation_space
    if not isinstance(space, Dict):
        return observations  # type: ignore[no-any-return]
    try:
        parts = {name: np.asarray(observations[name]) for name in space.spaces}
        flat: NDArray[Any] = flatten_obs(space, parts, (len(next(iter(parts.values()))),))
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(
            f"Minari dataset {dataset.id!r}: observations do not fit their space {space}: {error}"
        ) from error
    return flat


def _hdf5_infos(episode: Any) -> dict[str, NDArray[Any]] | None:
    if "infos" not in hdf5.names(episode):
        return None
    return hdf5.read_all(hdf5.subgroup(episode, "infos"))


class _FlatRows:
    """Arrays of all steps, filled from the front."""

    def __init__(self, source: str, size: int, obs_dim: int, action_shape: tuple[int, ...]) -> None:
        self._source = source
        self._obs = np.empty((size, obs_dim), np.float32)
        self._next_obs = np.empty((size, obs_dim), np.float32)
        self._actions = np.empty((size, *action_shape), np.float32)
        self._rewards = np.empty(size, np.float32)
        self._terminated = np.empty(size, np.bool_)
        self._infos = InfoRows()
        self._to_sample = block_starts(size)
        self._sampled: dict[str, list[Steps]] = {"obs": [], "actions": [], "rewards": []}
        self._starts: list[int] = []
        self._n_cuts = 0
        self._end = 0

    def add(self, episode: Episode) -> None:
        """Append an episode."""
        length = self._checked_length(episode)
        rows = slice(self._end, self._end + length)
        self._sample(episode, length)
        terminated = flags(self._source, f"terminations of episode {episode.index}", episode.terminations)
        with np.errstate(over="ignore"):  # a value too large becomes infinite, which validation reports
            self._obs[rows] = episode.observations[:-1]
            self._next_obs[rows] = episode.observations[1:]
            self._actions[rows] = episode.actions
            self._rewards[rows] = episode.rewards
        self._terminated[rows] = terminated
        self._infos.add(episode.infos, length)
        inside = np.flatnonzero(terminated[:-1]) + 1
        self._starts += [self._end, *(self._end + inside).tolist()]
        self._n_cuts += len(inside)
        self._end += length

    def _sample(self, episode: Episode, length: int) -> None:
        """Keep some steps of what float32 may round, in float64."""
        while self._to_sample and self._to_sample[0] < self._end + length:
            first = self._to_sample.pop(0) - self._end
            fields = {"obs": episode.observations, "actions": episode.actions, "rewards": episode.rewards}
            for name, values in fields.items():
                if loses_digits(values.dtype):
                    block = values[first : first + BLOCK + 1].astype(np.float64)
                    self._sampled[name].append((block[:-1], block[1:]))

    def _checked_length(self, episode: Episode) -> int:
        where = f"{self._source}, episode {episode.index}"
        length = len(real_array(where, "rewards", episode.rewards))
        if length == 0:
            raise DatasetError(f"{where} is empty; every episode needs at least one step.")
        needed = {
            "observations": (length + 1, self._obs.shape[1]),
            "actions": (length, *self._actions.shape[1:]),
            "rewards": (length,),
            "terminations": (length,),
        }
        arrays = {name: real_array(where, name, getattr(episode, name)) for name in needed}
        received = {name: array.shape for name, array in arrays.items()}
        if needed != received:
            raise DatasetError(f"{where}: shapes disagree: need {needed}, received {received}.")
        if self._end + length > len(self._rewards):
            raise DatasetError(
                f"{where} goes beyond the {len(self._rewards)} steps that the metadata promise."
            )
        return length

    def tensors(self) -> dict[str, Any]:
        """Return the fields of `Transitions` that hold data."""
        if self._end != len(self._rewards):
            raise DatasetError(
                f"{self._source}: the metadata promise {len(self._rewards)} steps, "
                f"the file holds {self._end}."
            )
        if self._n_cuts:
            warnings.warn(
                f"{self._source}: {self._n_cuts} steps terminate in the middle of an episode; another "
                "episode starts after each. Write terminations only where the MDP ends.",
                stacklevel=2,
            )
        warn_of_lost_steps(self._source, self._sampled)
        infos = self._infos.arrays(self._source)
        return {
            "obs": torch.from_numpy(self._obs),
            "actions": torch.from_numpy(self._actions),
            "rewards": torch.from_numpy(self._rewards),
            "next_obs": torch.from_numpy(self._next_obs),
            "terminated": torch.from_numpy(self._terminated),
            "episode_starts": torch.tensor(self._starts, dtype=torch.int64),
            "infos": {name: torch.from_numpy(values) for name, values in infos.items()},
        }
