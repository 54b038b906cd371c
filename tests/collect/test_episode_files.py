from pathlib import Path
from typing import Any

import numpy as np
from minari.data_collector import EpisodeBuffer

from offline_envs.collect.episode_files import read_episodes, write_episodes
from offline_envs.evaluation import infos_of


def episode(length: int, *, first: float, infos: dict[str, Any] | None = None) -> EpisodeBuffer:
    """Observation t is (first + t, 0), action and reward t are t."""
    rows = np.arange(length + 1, dtype=np.float32)
    arrays: dict[str, Any] = {
        "observations": np.stack([first + rows, 0 * rows], axis=1),
        "actions": rows[:-1, None],
        "rewards": rows[:-1],
        "terminations": rows[:-1] == length - 1,
        "truncations": np.zeros(length, dtype=bool),
    }
    return EpisodeBuffer(infos={"x": first * rows, **(infos or {})}, **arrays)


def test_episodes_come_back_apart_and_in_order(tmp_path: Path) -> None:
    """Observations have a row more than actions: an offset that forgets it mixes neighbouring episodes."""
    write_episodes(tmp_path / "1.npz", [episode(2, first=10), episode(3, first=20)])
    write_episodes(tmp_path / "2.npz", [episode(1, first=30)])
    read = list(read_episodes([tmp_path / "1.npz", tmp_path / "2.npz"]))
    assert [np.asarray(e.observations)[:, 0].tolist() for e in read] == [
        [10, 11, 12],
        [20, 21, 22, 23],
        [30, 31],
    ]
    assert [np.asarray(e.actions).tolist() for e in read] == [[[0], [1]], [[0], [1], [2]], [[0]]]
    assert [list(e.rewards) for e in read] == [[0, 1], [0, 1, 2], [0]]
    assert [list(e.terminations) for e in read] == [[False, True], [False, False, True], [True]]
    assert [infos_of(e)["x"].tolist() for e in read] == [[0, 10, 20], [0, 20, 40, 60], [0, 30]]
    assert {np.asarray(e.observations).dtype for e in read} == {np.dtype(np.float32)}


def test_only_infos_of_one_shape_in_every_file_are_read(tmp_path: Path) -> None:
    both = {"other": np.zeros(2), "shape": np.zeros((2, 3))}
    write_episodes(tmp_path / "1.npz", [episode(1, first=0, infos=both)])
    write_episodes(tmp_path / "2.npz", [episode(1, first=0, infos={"shape": np.zeros((2, 4))})])
    read = list(read_episodes([tmp_path / "1.npz", tmp_path / "2.npz"]))
    assert [set(infos_of(e)) for e in read] == [{"x"}, {"x"}]


def test_an_info_that_an_episode_lacks_is_not_written(tmp_path: Path) -> None:
    write_episodes(tmp_path / "1.npz", [episode(1, first=0, infos={"a/b": np.ones(2)}), episode(1, first=0)])
    write_episodes(tmp_path / "2.npz", [episode(1, first=0, infos={"a/b": np.ones(2)})])
    assert [set(infos_of(e)) for e in read_episodes([tmp_path / "1.npz"])] == [{"x"}, {"x"}]
    assert [set(infos_of(e)) for e in read_episodes([tmp_path / "2.npz"])] == [{"x", "a/b"}]
