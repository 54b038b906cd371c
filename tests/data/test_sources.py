"""A user-defined dataset source: one row, from outside the package."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs import load_transitions
from offline_envs.cli.terminal import options
from offline_envs.data import SOURCES, Source, Transitions, transitions_from_arrays
from offline_envs.data.sources import Name, valid_datasets
from offline_envs.errors import DatasetError


def ends_right_of_three(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] >= 3


def find(name: Name) -> Path | None:
    scheme, _, rest = str(name).partition(":")
    return Path(rest) if scheme == "steps" else None


def read(path: Path) -> Transitions:
    steps = json.loads(path.read_text(encoding="utf-8"))
    return transitions_from_arrays({name: np.array(values) for name, values in steps.items()})


SOURCES.register("tests/steps", Source("a text steps:PATH of a JSON file of steps", find, read))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two episodes of three steps, obs 0 to 3."""
    obs = [[float(t)] for t in (0, 1, 2, 0, 1, 2)]
    steps = {
        "observations": obs,
        "actions": [[0.0]] * 6,
        "rewards": [1.0] * 6,
        "next_observations": [[o[0] + 1] for o in obs],
        "terminals": [False, False, True] * 2,
    }
    path = tmp_path / "steps.json"
    path.write_text(json.dumps(steps), encoding="utf-8")
    return path


def test_a_registered_source_is_loaded_and_shared_until_its_file_changes(file: Path) -> None:
    first = load_transitions(f"steps:{file}")
    assert first.episode_lengths.tolist() == [3, 3]
    assert load_transitions(f"steps:{file}") is first
    file.write_text(file.read_text(encoding="utf-8").replace("1.0, 1.0", "5.0, 5.0"), encoding="utf-8")
    assert load_transitions(f"steps:{file}").rewards.max() == 5


def test_two_sources_of_one_file_are_two_datasets(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data that one has read are not those that the other would read."""

    def find_paid(name: Name) -> Path | None:
        scheme, _, rest = str(name).partition(":")
        return Path(rest) if scheme == "paid" else None

    def read_paid(path: Path) -> Transitions:
        steps = read(path)
        return replace(steps, rewards=7 * steps.rewards)

    monkeypatch.setitem(SOURCES._entries, "tests/paid", Source("a text paid:PATH", find_paid, read_paid))
    assert load_transitions(f"steps:{file}").rewards.tolist() == [1.0] * 6
    assert load_transitions(f"paid:{file}").rewards.tolist() == [7.0] * 6
    wide = load_transitions(f"paid:{file}", action_space=Box(-2.0, 2.0, (1,)))
    assert wide.rewards is load_transitions(f"paid:{file}").rewards


def test_an_environment_takes_it(file: Path) -> None:
    settings: dict[str, Any] = {
        "ensemble": {"hidden": [4]},
        "fit": {"max_epochs": 1},
        "termination": ends_right_of_three,
    }
    with pytest.raises(DatasetError, match="A fit needs at least 50 transitions"):
        gym.make("LearnedModel-v0", dataset=f"steps:{file}", progress=False, **settings)


def test_messages_say_what_each_source_reads() -> None:
    assert "a text steps:PATH of a JSON file of steps" in valid_datasets()
    with pytest.raises(DatasetError, match=r"give a Minari id .*, a text steps:PATH .*, or a list of these"):
        load_transitions("other:file")


def test_the_help_of_commands_names_every_source_of_the_package() -> None:
    """They are listed there again, because the command line starts without these modules."""
    metadata: tuple[Any, ...] = getattr(options.Dataset, "__metadata__", ())
    (argument,) = (m for m in metadata if hasattr(m, "help"))
    for word in (
        "Minari id",
        "D4RL",
        ".hdf5",
        ".npz",
        "folder",
        ".csv",
        ".parquet",
        "LeRobot",
        "lerobot:PATH",
    ):
        assert word in argument.help
        assert word in valid_datasets()
