"""Frames in memory are the steps that the same rows are as arrays."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs import load_transitions
from offline_envs.errors import DatasetError, SettingsError
from tests.data.tables.plants import COLUMNS, as_arrays, rows
from tests.data.worlds import same, transitions


def pandas_frame(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("pandas").DataFrame(columns)


def hugging_face(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("datasets").Dataset.from_dict(columns)


def arrow(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("pyarrow").table(columns)


def mapping(columns: dict[str, Any]) -> Any:
    return columns


FRAMES = (pandas_frame, hugging_face, arrow, mapping)
Make = Callable[[dict[str, Any]], Any]


def in_lists() -> dict[str, list[Any]]:
    """The known rows with LeRobot's names, whose observation and action are lists."""
    known = rows()
    return {
        "observation.state": [list(pair) for pair in zip(known["level"], known["flow"], strict=True)],
        "action": [None if valve is None else [valve] for valve in known["valve"]],
        "next.reward": known["gain"],
        "episode_index": [0, 0, 0, 0, 7, 7, 7],
        "terminated": [bool(spilled) for spilled in known["spilled"]],
    }


@pytest.mark.parametrize("make", FRAMES)
def test_a_frame_is_the_same_steps_as_arrays(make: Make) -> None:
    assert same(load_transitions(make(rows()), columns=COLUMNS), load_transitions(as_arrays()))


@pytest.mark.parametrize("make", FRAMES)
def test_cells_may_be_lists(make: Make) -> None:
    found = load_transitions(make(in_lists()), columns={})
    assert same(found, load_transitions(as_arrays()))
    assert found.metadata == {
        "obs_names": ["observation.state[0]", "observation.state[1]"],
        "action_names": ["action[0]"],
    }


@pytest.mark.parametrize("make", [pandas_frame, arrow, mapping])
def test_lists_of_other_lengths_are_refused_with_their_place(make: Make) -> None:
    ragged = in_lists()
    ragged["observation.state"][4] = [1.0, 2.0, 3.0]
    with pytest.raises(DatasetError, match=r"'observation.state' must hold 2 numbers.*row 4 holds \[1\.0"):
        load_transitions(make(ragged), columns={})


@pytest.mark.parametrize("make", FRAMES)
def test_texts_are_refused_with_their_place(make: Make) -> None:
    with pytest.raises(DatasetError, match=r"'flow' must hold numbers; row 0 holds '1'"):
        load_transitions(make(rows(flow=[*"1234567"])), columns=COLUMNS)


def test_a_frame_needs_no_columns_if_its_names_tell() -> None:
    frame = pandas_frame(in_lists())
    assert same(load_transitions(frame), load_transitions(as_arrays()))
    assert same(load_transitions(hugging_face(in_lists())), load_transitions(as_arrays()))


def test_nullable_types_times_and_the_index_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas_frame(rows(when=pandas.date_range("2026-01-01", periods=7, tz="Europe/Rome")))
    frame = frame.convert_dtypes().set_index(np.arange(7) * 10)
    assert str(frame["gain"].dtype) == "Int64"
    keys = COLUMNS | {"time": "when"}
    assert same(load_transitions(frame, columns=keys), load_transitions(as_arrays()))
    frame.loc[20, "level"] = None
    with pytest.raises(DatasetError, match=r"column 'level' .*: row 2 \(index 20\) is empty"):
        load_transitions(frame, columns=keys)


def test_columns_of_one_name_are_refused() -> None:
    frame = pandas_frame(rows())
    with pytest.raises(DatasetError, match=r"a name of its own; \['level'\] are twice"):
        load_transitions(pytest.importorskip("pandas").concat([frame, frame[["level"]]], axis=1))


def test_a_hugging_face_dataset_is_read_in_any_format_and_order() -> None:
    dataset = hugging_face(in_lists())
    assert same(load_transitions(dataset.with_format("torch")), load_transitions(as_arrays()))
    last = load_transitions(dataset.select(range(4, 7)))
    assert last.obs.tolist() == [[10, 5], [11, 6]]
    splits = pytest.importorskip("datasets").DatasetDict(train=dataset)
    with pytest.raises(DatasetError, match="A DatasetDict of Hugging Face cannot be read; give one split"):
        load_transitions(splits)
    with pytest.raises(DatasetError, match="not streamed"):
        load_transitions(dataset.to_iterable_dataset())


def test_a_mapping_of_columns_may_hold_tensors() -> None:
    table = {"obs": torch.arange(3.0), "action": torch.tensor([0.1, 0.2, 0.3]), "reward": np.ones(3)}
    with pytest.warns(UserWarning, match="1 of 3 rows are dropped"):
        found = load_transitions(table, columns={"episode": False, "terminated": False})
    assert found.next_obs.tolist() == [[1], [2]]


def test_frames_of_one_plant_are_joined() -> None:
    frame = pandas_frame(rows())
    found = load_transitions([frame, frame], columns=COLUMNS)
    assert found.episode_lengths.tolist() == [3, 2, 3, 2]
    assert found.metadata["obs_names"] == ["level", "flow"]


def test_columns_are_for_tables_only() -> None:
    with pytest.raises(DatasetError, match="received Transitions, which says so itself"):
        load_transitions(transitions(), columns=COLUMNS)
    demo = "offline-envs/inverteddoublependulum-replay-v0"
    with pytest.raises(SettingsError, match=r"is a Minari id .*, which says so itself\. Leave columns= out"):
        load_transitions(demo, columns=COLUMNS)


@pytest.mark.filterwarnings("ignore:On the holdout, the model predicts")  # after a single epoch
def test_an_environment_takes_a_frame() -> None:
    n = 60
    frame = pandas_frame(
        {
            "obs": np.sin(np.arange(n)),
            "action": np.cos(np.arange(n)),
            "reward": 1.0,
            "run": np.arange(n) // 20,
            "next_obs": np.sin(np.arange(1, n + 1)),
        }
    )
    settings: dict[str, Any] = {"ensemble": {"hidden": [4]}, "fit": {"max_epochs": 1}, "progress": False}
    keys = {"episode": "run", "terminated": False}
    env = gym.make("LearnedModel-v0", dataset=frame, columns=keys, termination="never", **settings)
    assert env.reset(seed=0)[0].shape == (1,)
    actions = np.cos(np.arange(n)).astype(np.float32)
    assert env.action_space == gym.spaces.Box(actions.min(), actions.max(), (1,), np.float32)


NANOSECONDS = [1_764_000_000_000_000_001 + (row > 3) for row in range(7)]
"""Ids that are one number in float64."""


@pytest.mark.parametrize("make", FRAMES)
def test_large_ids_are_told_apart(make: Make) -> None:
    found = load_transitions(make(rows(batch=NANOSECONDS)), columns=COLUMNS)
    assert same(found, load_transitions(as_arrays()))


def test_large_ids_of_pandas_own_types_are_told_apart() -> None:
    frame = pandas_frame(rows(batch=NANOSECONDS)).convert_dtypes()
    assert same(load_transitions(frame, columns=COLUMNS), load_transitions(as_arrays()))


@pytest.mark.parametrize("make", [pandas_frame, mapping])
def test_ids_that_may_stand_for_several_are_refused(make: Make) -> None:
    with pytest.raises(DatasetError, match=r"'batch' .*below 2\*\*53, .*row 0 holds 1\.764e\+18"):
        load_transitions(make(rows(batch=[float(name) for name in NANOSECONDS])), columns=COLUMNS)


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"column 'flow' must hold numbers; row 0 holds \(1\+2j\)"):
        load_transitions(pandas_frame(rows(flow=[1 + 2j] * 7)), columns=COLUMNS)


@pytest.mark.parametrize("short", ["level", "valve", "gain", "batch", "spilled"])
def test_columns_of_other_lengths_are_refused(short: str) -> None:
    """Ids of fewer rows than the rest were taken as those of the first rows."""
    with pytest.raises(DatasetError, match=f"every column must have as many rows .*'{short}' 6"):
        load_transitions(rows(**{short: rows()[short][:6]}), columns=COLUMNS)


def test_cells_that_are_images_are_refused() -> None:
    images = rows() | {"level": np.zeros((7, 2, 2))}
    with pytest.raises(DatasetError, match=r"column 'level' .* got arrays of shape \(2, 2\)"):
        load_transitions(images, columns=COLUMNS)
