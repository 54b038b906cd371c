"""A dataset that this package wrote is what it was when it was written, or is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest
from gymnasium.spaces import Box
from minari.data_collector import EpisodeBuffer

from offline_envs.collect.writer import Provenance, write_dataset
from offline_envs.data import CONTENTS, load_transitions
from offline_envs.data.contents import EpisodesChecksum
from offline_envs.errors import DatasetError

LENGTHS = (3, 2, 4)

pytestmark = pytest.mark.filterwarnings("ignore:.*'text'.* are left out")


def episode(number: int, length: int) -> EpisodeBuffer:
    rows = np.arange(length + 1, dtype=np.float32) + 10 * number
    return EpisodeBuffer(
        id=number,
        observations=np.stack([rows, -rows], axis=1),  # type: ignore[arg-type]  # Minari says lists
        actions=np.zeros((length, 1), np.float32),  # type: ignore[arg-type]
        rewards=rows[:-1],  # type: ignore[arg-type]
        terminations=np.arange(length) == length - 1,
        truncations=np.zeros(length, bool),  # type: ignore[arg-type]
        infos={"x": rows, "text": ["a"] * (length + 1)},
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    spaces = Box(-np.inf, np.inf, (2,)), Box(-1.0, 1.0, (1,))
    origin = Provenance(gym.spec("Pendulum-v1"), *spaces, "random", "By hand.")
    episodes = [episode(number, length) for number, length in enumerate(LENGTHS)]
    return write_dataset("my/it-v0", episodes, root=tmp_path, scratch=tmp_path / "work", provenance=origin)


def main_file(folder: Path) -> Path:
    return folder / "data" / "main_data.hdf5"


def edit_metadata(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "data" / "metadata.json"
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


def change_a_reward(folder: Path) -> None:
    """By HDF5 itself, which renews its own checksum."""
    with h5py.File(main_file(folder), "r+") as file:
        file["episode_1/rewards"][0] = 99


def test_every_array_of_numbers_has_a_checksum_of_hdf5(folder: Path) -> None:
    with h5py.File(main_file(folder)) as file:
        arrays = {name: file["episode_0"][name] for name in ("observations", "actions", "infos/x")}
        assert {name for name, array in arrays.items() if array.fletcher32} == set(arrays)
    content = main_file(folder).read_bytes()
    place = content.index(np.array([10, -10, 11, -11], np.float32).tobytes())
    main_file(folder).write_bytes(content[:place] + b"\1" + content[place + 1 :])
    with pytest.raises(DatasetError, match="truncated or altered"):
        load_transitions(folder)


def test_a_changed_number_is_refused_and_the_remedy_named(folder: Path) -> None:
    assert load_transitions(folder).rewards[3] == 10
    change_a_reward(folder)
    with pytest.raises(DatasetError, match=r"its episodes do not fit .* delete the entry 'offline_envs"):
        load_transitions(folder)
    edit_metadata(folder, lambda metadata: metadata.pop(CONTENTS))
    assert load_transitions(folder).rewards[3] == 99


@pytest.mark.parametrize(
    "change",
    [
        lambda metadata: metadata.update(description="Another."),
        lambda metadata: metadata.update(total_episodes=2, total_steps=5),
        lambda metadata: metadata.update(total_episodes="3"),
        lambda metadata: metadata.pop("algorithm_name"),
        lambda metadata: metadata[CONTENTS].update(n_episodes=2),
        lambda metadata: metadata.update({CONTENTS: 3}),
        lambda metadata: metadata.update(offline_envs_contentr=metadata.pop(CONTENTS)),
    ],
)
def test_changed_metadata_are_refused(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit_metadata(folder, change)
    with pytest.raises(DatasetError, match=r"its metadata do not fit|is not a readable"):
        load_transitions(folder)


def test_metadata_that_promise_more_than_the_file_holds_ask_for_no_memory(folder: Path) -> None:
    edit_metadata(folder, lambda metadata: metadata.update(total_steps=10**15))
    with pytest.raises(DatasetError, match=r"total_steps of its metadata, .* declares .* bytes, of which"):
        load_transitions(folder)


def test_a_selection_and_a_combination_are_read(folder: Path) -> None:
    dataset = minari.load_dataset("my/it-v0")
    assert len(load_transitions(dataset.filter_episodes(lambda found: found.id != 1))) == 7
    assert len(load_transitions(minari.combine_datasets([dataset, dataset], "my/both-v0"))) == 18


def test_minari_may_add_episodes(folder: Path) -> None:
    """Those that were there before are still compared."""
    minari.load_dataset("my/it-v0").storage.update_episodes([episode(3, 2)])
    assert len(load_transitions(folder)) == 11
    change_a_reward(folder)
    with pytest.raises(DatasetError, match="its episodes do not fit"):
        load_transitions(folder)


def test_what_is_said_of_the_contents_is_no_origin(folder: Path) -> None:
    assert CONTENTS not in load_transitions(folder).metadata


def test_names_types_and_shapes_count() -> None:
    values = np.arange(6, dtype=np.int32)
    episodes: list[dict[str, Any]] = [
        {"a": values},
        {"b": values},
        {"a": values.view(np.float32)},
        {"a": values.reshape(2, 3)},
        {"a": np.array(["x", "y"], dtype=object)},
        {"a": np.array(["x", "z"], dtype=object)},
    ]
    found = set()
    for arrays in episodes:
        checksum = EpisodesChecksum()
        checksum.add(arrays)
        found.add(checksum.hexdigest())
    assert len(found) == len(episodes)
