from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import arrays, episode, write_minari


def write_d4rl(path: Path, **changes: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays(**changes).items():
            file[name] = values
    return path


def test_successors_are_those_of_the_file(tmp_path: Path) -> None:
    data = load_transitions(write_d4rl(tmp_path / "d.hdf5"))
    assert data.obs[:, 0].tolist() == [0, 1, 2, 10, 11]
    assert data.next_obs[:, 0].tolist() == [1, 2, 3, 11, 12]
    assert data.actions[:, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert data.rewards.tolist() == [1, 2, 3, 4, 5]
    assert data.terminated.tolist() == [False, False, True, False, False]
    assert data.episode_starts.tolist() == [0, 3]
    assert data.env_spec is None


def test_integers_are_choices_among_those_of_the_space(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", actions=np.array([0, 2, 1, 1, 0]))
    data = load_transitions(path, action_space=Discrete(3))
    assert data.actions.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0]]
    with pytest.raises(DatasetError, match=r"Indices of discrete actions need their space, action_space="):
        load_transitions(path)


def test_unknown_successors_are_dropped_with_a_count(tmp_path: Path) -> None:
    """The row after a terminal is the next episode's first observation, not a successor."""
    path = write_d4rl(tmp_path / "d.h5", next_observations=None)
    with pytest.warns(UserWarning, match=r"2 of 5 rows are dropped.*all 1 terminations"):
        data = load_transitions(path)
    assert data.obs[:, 0].tolist() == [0, 1, 10]
    assert data.next_obs[:, 0].tolist() == [1, 2, 11]
    assert data.rewards.tolist() == [1, 2, 4]
    assert data.episode_starts.tolist() == [0, 2]
    assert not data.terminated.any()


def test_the_last_row_of_the_file_is_dropped_although_nothing_ends_there(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", next_observations=None, timeouts=np.zeros(5, bool))
    with pytest.warns(UserWarning, match="2 of 5 rows are dropped"):
        assert load_transitions(path).obs[:, 0].tolist() == [0, 1, 10]


def test_without_timeouts_an_episode_ends_where_the_successor_is_another(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", timeouts=None, terminals=np.zeros(5, bool))
    assert load_transitions(path).episode_starts.tolist() == [0, 3]


def test_without_timeouts_and_successors_episodes_would_leak(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", timeouts=None, next_observations=None)
    with pytest.raises(
        DatasetError, match=r"does not tell where truncated episodes end.*Give one of: timeouts"
    ):
        load_transitions(path)


def test_infos_logged_before_the_step_move_to_the_step_that_leads_to_them(tmp_path: Path) -> None:
    infos = {
        "infos/qpos": np.arange(5.0),
        "infos/action_log_probs": np.arange(5.0),
        "metadata/seed": np.arange(2),
    }
    data = load_transitions(write_d4rl(tmp_path / "d.hdf5", **infos))
    assert data.infos["action_log_probs"].tolist() == [0, 1, 2, 3, 4]
    nan = float("nan")
    torch.testing.assert_close(data.infos["qpos"], torch.tensor([1, 2, nan, 4, nan]), equal_nan=True)
    path = write_d4rl(tmp_path / "without.hdf5", next_observations=None, **infos)
    with pytest.warns(UserWarning, match="2 of 5 rows are dropped"):
        assert load_transitions(path).infos["qpos"].tolist() == [1, 2, 4]


def test_missing_arrays_are_named_beside_those_found(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", actions=None, terminals=None)
    message = (
        r"lacks actions; terminated or terminals or terminations. "
        r"Found: next_observations, observations, rewards, timeouts"
    )
    with pytest.raises(DatasetError, match=message):
        load_transitions(path)


def test_a_text_file_is_not_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    path.write_text("observations")
    with pytest.raises(DatasetError, match=r"d.hdf5 is not an HDF5 file"):
        load_transitions(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DatasetError, match="is truncated or altered and cannot be read"):
        load_transitions(path)


def test_a_main_file_of_minari_loads_beside_its_metadata_only() -> None:
    path = Path(write_minari("a-v0", [episode(0, 3)]).storage.data_path) / "main_data.hdf5"
    assert len(load_transitions(path)) == 3
    alone = path.with_name("moved.hdf5")
    path.rename(alone)
    with pytest.raises(DatasetError, match=r"has Minari's layout.*Pass the Minari id"):
        load_transitions(alone)
