import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

from offline_envs.data import load_transitions
from offline_envs.data.loading import RecentlyLoaded
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays, episode, transitions, write_minari


def test_a_dataset_is_loaded_once() -> None:
    write_minari("a-v0", [episode(0, 3)])
    data = load_transitions("a-v0")
    assert load_transitions("a-v0") is data
    assert load_transitions(["a-v0"]) is data


def test_two_settings_share_the_memory_of_one_file() -> None:
    write_minari("a-v0", [episode(0, 3)])
    data, wide = load_transitions("a-v0"), load_transitions("a-v0", action_space=Box(-2.0, 2.0, (1,)))
    assert wide.action_space.high[0] == 2
    assert wide.obs is data.obs


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays())
    before = load_transitions(path)
    np.savez(path, **arrays(rewards=np.zeros(5)))
    os.utime(path, ns=(0, 0))
    assert before.rewards.any()
    assert not load_transitions(path).rewards.any()


def test_a_folder_is_a_dataset_if_given_as_a_path() -> None:
    data_path = Path(write_minari("toy/a-v0", [episode(0, 3)]).storage.data_path)
    assert load_transitions(data_path) is load_transitions("toy/a-v0")
    assert load_transitions(data_path.parent) is load_transitions("toy/a-v0")


def test_the_holdout_needs_more() -> None:
    with pytest.raises(DatasetError, match="Arrays holds 5 transitions; at least 6 are needed"):
        load_transitions(arrays(), min_size=6)
    assert len(load_transitions([arrays(), arrays()], min_size=6)) == 10


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            "runs/data.xlsx",
            "dataset='runs/data.xlsx' is neither a dataset nor a known kind of file; give a Minari id",
        ),
        (Path("nowhere"), "dataset='nowhere' is neither"),
        ("nowhere.npz", "There is no file nowhere.npz"),
        (Path("nowhere.hdf5"), "There is no file nowhere.hdf5"),
        (3, "must be a Minari id .* or a list of these; received int"),
        (np.zeros(3), "received ndarray"),
    ],
)
def test_what_is_not_a_dataset_is_refused(dataset: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_transitions(dataset)


def test_the_cache_drops_the_least_recently_used() -> None:
    cache, loads = RecentlyLoaded(2), []

    def get(key: str) -> None:
        cache.get(key, lambda: loads.append(key) or transitions())  # type: ignore[func-returns-value]

    for key in "abacab":
        get(key)
    assert loads == ["a", "b", "c", "b"]
