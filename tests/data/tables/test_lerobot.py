"""Folders in LeRobot's layout, written here as its documentation describes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_envs.data import Transitions, load_transitions
from offline_envs.errors import DatasetError
from tests.data.tables.test_arrow import write

FEATURES: dict[str, Any] = {
    "observation.state": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
    "action": {"dtype": "float32", "shape": [1], "names": {"motors": ["grip"]}},
    "next.reward": {"dtype": "float32", "shape": [1], "names": None},
    "next.done": {"dtype": "bool", "shape": [1], "names": None},
    "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    "frame_index": {"dtype": "int64", "shape": [1], "names": None},
    "episode_index": {"dtype": "int64", "shape": [1], "names": None},
    "index": {"dtype": "int64", "shape": [1], "names": None},
    "task_index": {"dtype": "int64", "shape": [1], "names": None},
}
LENGTHS = (4, 3, 5)


def frames() -> dict[str, list[Any]]:
    """Three episodes; x counts all rows up, y those of an episode."""
    episode = np.repeat([0, 1, 2], LENGTHS)
    frame = np.concatenate([np.arange(length) for length in LENGTHS])
    n = len(frame)
    return {
        "observation.state": [[float(i), float(t)] for i, t in enumerate(frame)],
        "action": [[i / 100] for i in range(n)],
        "next.reward": [float(i) for i in range(n)],
        "next.done": list(np.append(episode[1:] != episode[:-1], True)),
        "timestamp": list((frame / 30).astype(np.float32)),
        "frame_index": list(frame),
        "episode_index": list(episode),
        "index": list(range(n)),
        "task_index": [0] * n,
    }


def write_folder(path: Path, *, version: str = "v3.0", features: Any = None, **info: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    kinds = {
        name: pyarrow.list_(pyarrow.float32(), size)
        for name, size in (("observation.state", 2), ("action", 1))
    }
    table = frames()
    for file, (first, last) in enumerate([(0, 7), (7, 12)]):
        some = {name: values[first:last] for name, values in table.items()}
        write(path / "data" / "chunk-000" / f"file-{file:03d}.parquet", some, **kinds)
    (path / "meta").mkdir()
    about = {
        "codebase_version": version,
        "fps": 30,
        "features": FEATURES if features is None else features,
        "total_frames": 12,
    }
    (path / "meta" / "info.json").write_text(json.dumps(about | info), encoding="utf-8")
    write(path / "meta" / "episodes" / "chunk-000" / "file-000.parquet", {"episode_index": [0, 1, 2]})
    return path


def load(dataset: Any, **columns: Any) -> Transitions:
    with pytest.warns(UserWarning, match="3 of 12 rows are dropped"):
        return load_transitions(dataset, columns={"terminated": False} | columns)


def test_a_folder_is_read_by_the_names_of_its_features(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "robot")
    found = load(folder)
    assert found.episode_lengths.tolist() == [3, 2, 4]
    inside = [i for i in range(12) if i not in (3, 6, 11)]
    assert found.obs[:, 0].tolist() == inside
    assert found.next_obs[:, 0].tolist() == [i + 1 for i in inside]
    assert found.rewards.tolist() == inside
    assert found.actions[:, 0].tolist() == [pytest.approx(i / 100) for i in inside]
    assert found.metadata == {
        "obs_names": ["observation.state.x", "observation.state.y"],
        "action_names": ["action.grip"],
    }
    assert (
        load_transitions(f"lerobot:{folder}", columns={"terminated": False}).fingerprint == found.fingerprint
    )


def test_images_are_left_out_with_a_warning(tmp_path: Path) -> None:
    camera = {"observation.images.top": {"dtype": "video", "shape": [48, 64, 3], "names": None}}
    folder = write_folder(tmp_path / "robot", features=FEATURES | camera)
    with pytest.warns(UserWarning, match=r"observation\.images\.top \(video\) left out"):
        load(folder)


def test_a_reward_that_is_not_recorded_is_asked_for(tmp_path: Path) -> None:
    features = {name: feature for name, feature in FEATURES.items() if name != "next.reward"}
    folder = write_folder(tmp_path / "robot", features=features)
    with pytest.raises(DatasetError, match=r"columns=\{'reward': \.\.\.\}, or one number for all rows"):
        load_transitions(folder)
    assert load(folder, reward=0).rewards.unique().tolist() == [0]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"codebase_version": "v1.6"}, r"LeRobot's layout of version v1\.6; 3\.0 and 2\.1 can be read"),
        ({"total_frames": 13}, r"promises 13 rows, but the files below data hold 12"),
        ({"features": []}, r"does not describe features"),
    ],
)
def test_another_layout_and_missing_files_are_refused(info: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        load_transitions(write_folder(tmp_path / "robot", **info))


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no LeRobot folder"):
        load_transitions(f"lerobot:{tmp_path}")
    folder = write_folder(tmp_path / "robot")
    (folder / "meta" / "info.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match="is not JSON"):
        load_transitions(folder)
