"""Minari believes metadata when it opens a dataset; what they would make it do is checked before."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minari
import pytest

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.worlds import describe_env, episode, write_minari, write_pendulum


def rewrite(dataset_id: str, *, drop: tuple[str, ...] = (), **entries: Any) -> Path:
    path = Path(minari.load_dataset(dataset_id).storage.data_path) / "metadata.json"
    metadata = {name: value for name, value in json.loads(path.read_text()).items() if name not in drop}
    path.write_text(json.dumps(metadata | entries))
    return path.parent


@pytest.mark.parametrize("space", ["observation_space", "action_space"])
def test_a_space_that_is_missing_is_not_learned_from_a_strangers_code(
    space: str, stranger: Callable[[], bool]
) -> None:
    """Minari makes the environment to ask it for its spaces, in the middle of opening the file."""
    describe_env(write_pendulum("stranger-v0"), entry_point="stranger:Env")
    rewrite("stranger-v0", drop=(space,))
    with pytest.raises(DatasetError, match=rf"lack {space}, .* by 'stranger:Env'.* Write both spaces into"):
        load_transitions("stranger-v0")
    assert not stranger()


def test_a_space_that_is_missing_is_learned_from_the_registrys_code() -> None:
    write_pendulum("old-v0")
    rewrite("old-v0", drop=("observation_space", "action_space"))
    assert load_transitions("old-v0").action_space.high.tolist() == [2.0]


def test_more_episodes_than_the_files_can_hold() -> None:
    write_minari("vast-v0", [episode(0, 3)])
    folder = rewrite("vast-v0", total_episodes=10**12)
    message = r"total_episodes of its metadata, 1,000,000,000,000, declares 8,000,000,000,000 bytes"
    with pytest.raises(DatasetError, match=message):
        load_transitions(folder)


def test_more_steps_than_the_files_can_hold() -> None:
    """A step of two observations, an action, a reward and a flag takes 4·(2·2 + 1 + 1) + 1 = 25 bytes."""
    write_minari("vast-v0", [episode(0, 3)])
    folder = rewrite("vast-v0", total_steps=10**12)
    dataset = minari.load_dataset("vast-v0")
    message = r"total_steps of its metadata, 1,000,000,000,000, declares 25,000,000,000,000 bytes"
    for source in (folder, dataset):
        with pytest.raises(DatasetError, match=message):
            load_transitions(source)


@pytest.mark.parametrize(
    "entries", [{"total_steps": "many"}, {"total_steps": float("inf")}, {"total_episodes": "x"}]
)
def test_sizes_that_are_no_numbers(entries: dict[str, Any]) -> None:
    write_minari("odd-v0", [episode(0, 3)])
    folder = rewrite("odd-v0", **entries)
    with pytest.raises(DatasetError):
        load_transitions(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"kwargs": ["g"]}, r"its keywords are \['g'\], no names and values"),
        ({"max_episode_steps": "long"}, "its max_episode_steps is 'long', no positive integer"),
        ({"max_episode_steps": 0}, "its max_episode_steps is 0, no positive integer"),
    ],
)
def test_entries_that_are_not_what_they_are_called(entries: dict[str, Any], message: str) -> None:
    """The rows are usable; the environment is not."""
    write_pendulum("odd-v0", **entries)
    data = load_transitions("odd-v0")
    assert data.env_spec is not None
    assert (data.env_spec.kwargs, data.env_spec.max_episode_steps) in (({}, 200), ({}, None))
    with pytest.raises(DatasetError, match=message):
        data.make_env()


@pytest.mark.parametrize("entries", [{"invented_later": True}, {"additional_wrappers": [{"title": "x"}]}])
def test_a_description_of_another_gymnasium_can_be_deleted(entries: dict[str, Any]) -> None:
    """Minari opens no dataset whose env_spec it cannot read; the message says how to go on."""
    write_pendulum("other-v0")
    path = Path(minari.load_dataset("other-v0").storage.data_path) / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["env_spec"] = json.dumps({**json.loads(metadata["env_spec"]), **entries})
    path.write_text(json.dumps(metadata))
    message = r"not a readable .*Spec.* Delete env_spec from its metadata.json, and pass env_id= \(--env-id\)"
    with pytest.raises(DatasetError, match=message):
        load_transitions("other-v0")
    del metadata["env_spec"]
    path.write_text(json.dumps(metadata))
    assert load_transitions("other-v0", env_id="Pendulum-v1").env_id == "Pendulum-v1"


def test_entries_nested_too_deeply() -> None:
    """More deeply than Python's own functions can copy, but not than its JSON reader can read."""
    deep: Any = 1
    for _ in range(900):
        deep = {"g": deep}
    write_pendulum("deep-v0")
    sys.setrecursionlimit(sys.getrecursionlimit() * 4)
    try:
        describe_env(minari.load_dataset("deep-v0"), kwargs=deep)
    finally:
        sys.setrecursionlimit(sys.getrecursionlimit() // 4)
    with pytest.raises(DatasetError, match=r"nested too deeply|maximum recursion depth"):
        load_transitions("deep-v0")


def test_a_time_limit_shorter_than_the_episodes_is_warned_about() -> None:
    write_pendulum("long-v0", steps=30, max_episode_steps=20)
    with pytest.warns(UserWarning, match="up to 30 steps, but its environment Pendulum-v1 ends after 20"):
        data = load_transitions("long-v0")
    assert data.make_env().spec.max_episode_steps == 20  # type: ignore[union-attr]
    write_pendulum("fitting-v0", steps=20, max_episode_steps=20)
    assert len(load_transitions("fitting-v0")) == 20
