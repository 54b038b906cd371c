"""Columns of actions that may be choices."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from offline_envs.data import load_transitions
from offline_envs.data.tables import bounds

pandas = pytest.importorskip("pandas")


def table(*columns: Any) -> Any:
    n = len(columns[0])
    values = {"obs": np.arange(n, dtype=float), "reward": np.ones(n), "episode": np.arange(n) // 6}
    named = {f"action_{i}": column for i, column in enumerate(columns)}
    return pandas.DataFrame({**values, **named, "terminated": np.zeros(n, int)})


THREE = np.arange(24) % 3
TWO = np.arange(24) % 2


@pytest.mark.filterwarnings("ignore:.*has no next_obs:UserWarning")
@pytest.mark.parametrize(
    ("columns", "space"),
    [([THREE], Discrete(3)), ([THREE, TWO], MultiDiscrete([3, 2])), ([THREE.astype(float)], Discrete(3))],
)
def test_the_warning_names_a_space_that_silences_it(columns: list[Any], space: Any) -> None:
    text = str(space).replace("MultiDiscrete([3 2])", "MultiDiscrete([3, 2])")
    with pytest.warns(UserWarning, match="whole numbers from 0 on") as caught:
        load_transitions(table(*columns))
    messages = [str(w.message) for w in caught if "whole numbers" in str(w.message)]
    assert len(messages) == 1
    assert f"gymnasium.spaces.{text}, or env_id=" in messages[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*whole numbers.*")
        data = load_transitions(table(*columns), action_space=space)
        assert data.discrete_actions == space
        load_transitions(data)


@pytest.mark.filterwarnings("ignore:.*has no next_obs:UserWarning")
def test_commands_are_said_to_be_so_by_their_bounds() -> None:
    given: dict[str, Any] = {"action_low": 0, "action_high": 2}
    data = load_transitions(table(THREE), columns=given)
    assert data.action_space == Box(0.0, 2.0, (1,))
    boxed = load_transitions(table(THREE), action_space=Box(0.0, 2.0, (1,)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gym.make("LearnedModel-v0", dataset=boxed, model=stays, termination="never")


def stays(obs: Any, action: Any) -> Any:
    return obs, action[:, 0]


@pytest.mark.filterwarnings("ignore:.*has no next_obs:UserWarning")
@pytest.mark.parametrize(
    "columns",
    [
        [THREE + 1],
        [THREE * 2],
        [THREE / 2],
        [np.arange(24) - 12],
        [THREE, np.linspace(0, 1, 24)],
    ],
)
def test_other_numbers_are_commands(columns: list[Any]) -> None:
    load_transitions(table(*columns))


@pytest.mark.filterwarnings("ignore:.*has no next_obs:UserWarning")
def test_many_whole_numbers_are_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_CHOICES", 2)
    load_transitions(table(THREE))
