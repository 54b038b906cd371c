"""What a dataset that this package wrote says of its own contents, so that a change is noticed on loading."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from minari.dataset.minari_storage import METADATA_FILE_NAME, MinariStorage

from offline_envs.errors import DatasetError
from offline_envs.files import json_checksum

CONTENTS = "offline_envs_contents"
"""Entry of the metadata that holds the checksums."""

_CHANGED_BY_MINARI = frozenset({CONTENTS, "total_episodes", "total_steps", "dataset_size"})
"""Entries that Minari changes when episodes are added; the file itself is compared with the first two."""


class EpisodesChecksum:
    """SHA-256 of episodes that are added one after the other: their arrays by name, type, shape and bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.n_episodes = 0

    def add(self, episode: Mapping[str, Any]) -> None:
        """Add the arrays of the next episode by name."""
        self.n_episodes += 1
        for name in sorted(episode):
            array = np.ascontiguousarray(episode[name])
            self._digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            if array.dtype.hasobject:  # texts
                self._digest.update(repr(array.tolist()).encode())
            else:
                self._digest.update(array.reshape(-1).view(np.uint8).data)

    def hexdigest(self) -> str:
        """The checksum so far, 64 hexadecimal digits."""
        return self._digest.hexdigest()


def contents_entry(data_path: Path, episodes: EpisodesChecksum) -> dict[str, Any]:
    """What the metadata of a complete dataset say of its contents, for the entry `CONTENTS`.

    Args:
        data_path: Folder of the metadata.
        episodes: Checksum of all episodes, as `ContentsCheck` is given them on loading.
    """
    covered = {"n_episodes": episodes.n_episodes, "episodes": episodes.hexdigest()}
    metadata = MinariStorage.read_raw_metadata(data_path)
    return {**covered, "metadata": _metadata_checksum(metadata, covered)}


class ContentsCheck:
    """Compares a dataset, episode by episode as it is read, with what it says of its own contents.

    Episodes that were added to it later are not covered, nor is a selection of its episodes. Datasets of
    version 0.1.0 and of others say nothing of their contents and pass.

    Args:
        source: Description of the dataset, for messages.
        data_path: Folder of its metadata.
        n_selected: Number of episodes that will be read.

    Raises:
        DatasetError: The metadata were altered.
    """

    def __init__(self, source: str, data_path: Path, n_selected: int) -> None:
        self._source, self._data_path = source, Path(data_path)
        metadata = MinariStorage.read_raw_metadata(self._data_path)
        self._expected = metadata.get(CONTENTS)
        self._episodes = EpisodesChecksum()
        renamed = self._expected is None and any(_is_entry(value) for value in metadata.values())
        if renamed or (self._expected is not None and not self._fits(metadata)):
            raise self._altered("metadata")
        if self._expected is not None and n_selected < metadata["total_episodes"]:
            self._expected = None

    @property
    def is_active(self) -> bool:
        """Whether the checksum covers the next episode."""
        return self._expected is not None and self._episodes.n_episodes < self._expected["n_episodes"]

    def add(self, episode: Mapping[str, Any]) -> None:
        """Compare the next episode, while `is_active`; its arrays by name.

        Raises:
            DatasetError: It is the last one that the checksum covers, and one of them was altered.
        """
        assert self._expected is not None
        self._episodes.add(episode)
        is_last = self._episodes.n_episodes == self._expected["n_episodes"]
        if is_last and self._episodes.hexdigest() != self._expected["episodes"]:
            raise self._altered("episodes")

    def _fits(self, metadata: Mapping[str, Any]) -> bool:
        if not isinstance(self._expected, dict) or not isinstance(metadata.get("total_episodes"), int):
            return False
        covered = {name: value for name, value in self._expected.items() if name != "metadata"}
        if self._expected.get("metadata") != _metadata_checksum(metadata, covered):
            return False
        return bool(metadata["total_episodes"] >= self._expected["n_episodes"])

    def _altered(self, part: str) -> DatasetError:
        return DatasetError(
            f"{self._source} was altered: its {part} do not fit the checksum that was stored when they were "
            f"written. Restore the files; if the change is intended, delete the entry {CONTENTS!r} from "
            f"{self._data_path / METADATA_FILE_NAME}."
        )


def _is_entry(value: Any) -> bool:
    """Whether a value is the entry `CONTENTS`; under another name a bit of its name was flipped."""
    return isinstance(value, dict) and value.keys() == {"metadata", "n_episodes", "episodes"}


def _metadata_checksum(metadata: Mapping[str, Any], covered: Mapping[str, Any]) -> str:
    """Checksum of the entries that stay, and of what is said of the episodes."""
    entries = {name: value for name, value in metadata.items() if name not in _CHANGED_BY_MINARI}
    return json_checksum({**entries, CONTENTS: covered})
