import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from hypothesis import given, settings
from hypothesis import strategies as st
from minari.dataset._storages.hdf5_storage import HDF5Storage

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import ACTION_SPACE, episode, same, write_minari


def test_two_episodes_by_hand() -> None:
    write_minari("two-v0", [episode(0, 3), episode(10, 2, terminated=False)])
    data = load_transitions("two-v0")
    assert data.obs[:, 0].tolist() == [0, 1, 2, 10, 11]
    assert data.next_obs.tolist() == [[1, -1], [2, -2], [3, -3], [11, -11], [12, -12]]
    assert data.actions[:, 0].tolist() == pytest.approx([0, 0.01, 0.02, 0.1, 0.11])
    assert data.rewards.tolist() == pytest.approx([0, 0.1, 0.2, 1.0, 1.1])
    assert data.terminated.tolist() == [False, False, True, False, False]
    assert data.episode_starts.tolist() == [0, 3]
    assert data.action_space == ACTION_SPACE
    assert (data.env_spec, dict(data.infos)) == (None, {})


def test_a_dataset_object_equals_its_id() -> None:
    dataset = write_minari("two-v0", [episode(0, 3), episode(10, 2)])
    assert same(load_transitions(dataset), load_transitions("two-v0"))


def test_a_file_that_the_user_holds_open_can_be_read() -> None:
    write_minari("open-v0", [episode(0, 3)])
    with h5py.File(main_file("open-v0")) as file:
        assert len(load_transitions("open-v0")) == 3
        assert len(file["episode_0/rewards"]) == 3


def test_filtered_episodes_keep_their_order() -> None:
    dataset = write_minari("three-v0", [episode(0, 3), episode(10, 2), episode(20, 1)])
    filtered = dataset.filter_episodes(lambda e: e.observations[0, 0] != 10)
    data = load_transitions(filtered)
    assert data.obs[:, 0].tolist() == [0, 1, 2, 20]
    assert data.episode_starts.tolist() == [0, 3]


def test_combined_datasets() -> None:
    parts = [write_minari("a-v0", [episode(0, 3)]), write_minari("b-v0", [episode(10, 2)])]
    minari.combine_datasets(parts, "both-v0")
    assert same(load_transitions("both-v0"), load_transitions(["a-v0", "b-v0"]))


def test_other_storages_are_iterated(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [{"x": np.arange(4.0)}, {"x": np.ones(3)}]
    dataset = write_minari("a-v0", [episode(0, 3, infos=infos[0]), episode(10, 2, infos=infos[1])])
    by_file = load_transitions("a-v0")
    monkeypatch.setattr(HDF5Storage, "FORMAT", "arrow")
    assert same(load_transitions(dataset), by_file)
    assert load_transitions(dataset).infos["x"].tolist() == by_file.infos["x"].tolist() == [1, 2, 3, 1, 1]


def test_infos_come_with_the_successor() -> None:
    """The first of T + 1 infos belongs to the reset; a mistake here shifts every relabelled reward."""
    infos = {"x": np.array([0.0, 1, 2, 3]), "deep": {"y": np.array([4.0, 5, 6])}}
    write_minari("infos-v0", [episode(0, 3, infos=infos)])
    data = load_transitions("infos-v0")
    assert data.infos["x"].tolist() == [1, 2, 3]
    assert data.infos["deep/y"].tolist() == [4, 5, 6]


def test_infos_that_some_steps_lack_are_left_out_with_a_warning() -> None:
    first = {"x": np.arange(4.0), "word": ["a", "b", "c", "d"], "once": np.arange(2.0)}
    second = {"x": np.arange(4.0)}
    write_minari("infos-v0", [episode(0, 3, infos=first), episode(0, 3, infos=second)])
    with pytest.warns(UserWarning, match=r"infos \['once', 'word'\] are left out"):
        assert list(load_transitions("infos-v0").infos) == ["x"]


def test_environment_of_the_metadata_with_its_settings() -> None:
    env = gym.make("Pendulum-v1", g=9.81)
    space = env.observation_space
    still = episode(0, 2, observations=np.zeros((3, 3), np.float32))
    write_minari("pendulum-v0", [still], observation_space=space, action_space=env.action_space, env=env)
    data = load_transitions("pendulum-v0")
    assert data.env_id == "Pendulum-v1"
    assert data.env_spec is not None
    assert data.env_spec.kwargs == {"g": 9.81}
    assert data.action_space == env.action_space
    assert data.make_env().unwrapped.g == 9.81  # type: ignore[attr-defined]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.data())
@settings(deadline=None, max_examples=15)
def test_round_trip_without_leaks(lengths: list[int], draw: st.DataObject) -> None:
    ends = draw.draw(st.lists(st.booleans(), min_size=len(lengths), max_size=len(lengths)))
    buffers = [episode(10 * i, n, terminated=e) for i, (n, e) in enumerate(zip(lengths, ends, strict=True))]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", folder)
        write_minari("drawn-v0", buffers)
        data = load_transitions("drawn-v0")
    assert data.episode_lengths.tolist() == lengths
    assert data.terminated.sum() == sum(ends)
    for start, buffer in zip(data.episode_starts, buffers, strict=True):
        rows = slice(int(start), int(start) + len(buffer.rewards))
        observations = np.asarray(buffer.observations)
        assert np.array_equal(data.obs[rows], observations[:-1].astype(np.float32))
        assert np.array_equal(data.next_obs[rows], observations[1:].astype(np.float32))


def test_spaces_are_named_when_refused() -> None:
    actions: Any = np.ones((2, 3), np.int8)
    buffer = replace(episode(0, 2), actions=actions)
    write_minari("binary-v0", [buffer], action_space=MultiBinary(3))
    with pytest.raises(
        DatasetError, match=r"action space must be a Box with one axis, received MultiBinary\(3\)"
    ):
        load_transitions("binary-v0")


@pytest.mark.parametrize(
    ("space", "recorded", "columns"),
    [
        (Discrete(3), [2, 0, 1], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        (Discrete(2, start=5), [5, 6, 6], [[1, 0], [0, 1], [0, 1]]),
        (MultiDiscrete([2, 2]), [[0, 1], [1, 1], [0, 0]], [[1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0]]),
    ],
)
def test_discrete_actions_become_one_hot_numbers(space: Any, recorded: Any, columns: Any) -> None:
    first: Any = np.array(recorded[:2])
    second: Any = np.array(recorded[2:])
    episodes = [replace(episode(0, 2), actions=first), replace(episode(10, 1), actions=second)]
    write_minari("choices-v0", episodes, action_space=space)
    data = load_transitions("choices-v0")
    assert data.actions.tolist() == columns
    assert data.discrete_actions == space
    twice = load_transitions(["choices-v0", "choices-v0"])
    assert twice.discrete_actions == space
    assert twice.actions.tolist() == 2 * columns


def test_observations_with_two_axes_are_refused() -> None:
    buffer = episode(0, 2, observations=np.zeros((3, 2, 2)))
    write_minari("image-v0", [buffer], observation_space=Box(0, 1, (2, 2), np.float64))
    with pytest.raises(DatasetError, match=r"observation space must be a Box with one axis.*Flatten"):
        load_transitions("image-v0")


def test_nan_is_named_by_field_row_and_count() -> None:
    buffer = episode(0, 3)
    np.asarray(buffer.rewards)[1:] = np.nan
    write_minari("nan-v0", [episode(0, 2), buffer])
    message = r"nan-v0.*rewards must be finite.*2 of 5 rows.*first is row 3 \(episode 1, step 1\) with nan"
    with pytest.raises(DatasetError, match=message):
        load_transitions("nan-v0")


def test_numbers_too_large_for_float32_count_as_infinite() -> None:
    write_minari("large-v0", [episode(0, 2, infos={"x": np.full(3, 1e300)})])
    with h5py.File(main_file("large-v0"), "a") as file:
        file["episode_0/observations"][1, 0] = 1e300
    with pytest.raises(DatasetError, match=r"obs must be finite as float32; 1 of 2 rows.*row 1 .*inf"):
        load_transitions("large-v0")


def main_file(dataset_id: str) -> Path:
    return Path(minari.load_dataset(dataset_id).storage.data_path) / "main_data.hdf5"


def test_an_empty_episode_is_refused() -> None:
    write_minari("empty-v0", [episode(0, 3), episode(0, 1)])
    with h5py.File(main_file("empty-v0"), "a") as file:
        for name in ("actions", "rewards", "terminations", "truncations"):
            file["episode_1"][name].resize(0, axis=0)
    with pytest.raises(DatasetError, match=r"'empty-v0', episode 1 is empty"):
        load_transitions("empty-v0")


def test_shapes_that_disagree_are_refused() -> None:
    write_minari("short-v0", [episode(0, 3)])
    with h5py.File(main_file("short-v0"), "a") as file:
        file["episode_0/observations"].resize(3, axis=0)
    with pytest.raises(
        DatasetError, match=r"episode 0: shapes disagree: need .*\(4, 2\).* received .*\(3, 2\)"
    ):
        load_transitions("short-v0")


@pytest.mark.parametrize(
    ("promised", "message"), [(9, "promise 9 steps, the file holds 3"), (2, "beyond the 2 steps")]
)
def test_wrong_metadata_are_refused(promised: int, message: str) -> None:
    write_minari("lie-v0", [episode(0, 3)])
    path = main_file("lie-v0").with_name("metadata.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"total_steps": promised}))
    with pytest.raises(DatasetError, match=message):
        load_transitions("lie-v0")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("terminations", np.array([0, 2, 1]), "terminations of episode 1 must hold 0 or 1, row 1 holds 2"),
        (
            "terminations",
            np.array([0, 0.5, 1]),
            "terminations of episode 1 must hold 0 or 1, row 1 holds 0.5",
        ),
        ("rewards", np.array([1, 2, 3j]), r"episode 1: rewards must be an array of numbers, .*complex128"),
        ("rewards", 1.0, r"episode 1: rewards must be an array of numbers, .*shape \(\)"),
        ("rewards", np.array([b"1", b"2", b"3"]), r"episode 1: rewards must be an array of numbers, .*S1"),
    ],
)
def test_the_checks_of_arrays(name: str, values: Any, message: str) -> None:
    """NumPy would take 2 and 0.5 as true, and the real part of complex numbers."""
    write_minari("odd-v0", [episode(0, 2), episode(0, 3)])
    with h5py.File(main_file("odd-v0"), "a") as file:
        del file[f"episode_1/{name}"]
        file[f"episode_1/{name}"] = values
    with pytest.raises(DatasetError, match=message):
        load_transitions("odd-v0")


def test_an_episode_ends_where_it_terminates() -> None:
    """As in arrays: no episode goes on after the end of the MDP."""
    goes_on = episode(0, 4)
    np.asarray(goes_on.terminations)[:] = [False, True, False, False]
    write_minari("goes-on-v0", [goes_on, episode(10, 2)])
    with pytest.warns(UserWarning, match="1 steps terminate in the middle of an episode"):
        data = load_transitions("goes-on-v0")
    assert data.episode_starts.tolist() == [0, 2, 4]
    assert data.next_obs[:, 0].tolist() == [1, 2, 3, 4, 11, 12]


def test_a_truncated_file_is_refused() -> None:
    write_minari("torn-v0", [episode(0, 300)])
    path = main_file("torn-v0")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DatasetError, match=r"main_data.hdf5 is truncated or altered and cannot be read"):
        load_transitions("torn-v0")


def test_a_missing_episode_is_refused() -> None:
    dataset = write_minari("gap-v0", [episode(0, 3), episode(0, 3)])
    with h5py.File(main_file("gap-v0"), "a") as file:
        del file["episode_1"]
    for source in ("gap-v0", dataset):
        with pytest.raises(DatasetError, match="truncated or altered"):
            load_transitions(source)


def test_broken_metadata_are_refused() -> None:
    write_minari("broken-v0", [episode(0, 3)])
    main_file("broken-v0").with_name("metadata.json").write_text("{")
    with pytest.raises(DatasetError, match=r"not a readable Minari dataset: JSONDecodeError"):
        load_transitions("broken-v0")
