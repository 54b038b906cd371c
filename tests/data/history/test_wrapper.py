"""Histories in an environment are those of its recorded data, bit for bit."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from offline_envs import load_transitions
from offline_envs.data import HistoryObservation, with_history
from offline_envs.errors import SettingsError


class Counter(gym.Env[Any, Any]):
    """obs (t, sum of the actions), from t = 10·seed; actions from 1 to 2."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(1.0, 2.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = np.array([10 * (seed or 0), 0], np.float32)
        return self.state.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.state += np.array([1, action[0]], np.float32)
        return self.state.copy(), 0.0, False, False, {}


def test_a_course_on_paper() -> None:
    """Before the start lies action 1, the nearest to zero."""
    env = HistoryObservation(Counter(), 3)
    obs, _ = env.reset(seed=1)
    assert obs.tolist() == [10, 0, 1, 10, 0, 1, 10, 0]
    assert env.step(np.array([2.0], np.float32))[0].tolist() == [11, 2, 2, 10, 0, 1, 10, 0]
    assert env.step(np.array([1.5], np.float32))[0].tolist() == [12, 3.5, 1.5, 11, 2, 2, 10, 0]
    assert env.reset(seed=2)[0].tolist() == [20, 0, 1, 20, 0, 1, 20, 0]


@pytest.mark.parametrize("action", [[0.5], np.array([0.1]), np.array([5.0], np.float32)])
def test_observations_lie_in_their_space_whatever_the_actions(action: Any) -> None:
    """A policy network fails if the type after a step differs from that after the reset."""
    env = HistoryObservation(gym.make("Pendulum-v1"), 3)
    assert env.reset(seed=0)[0].dtype == np.float32
    for _ in range(3):
        obs = env.step(action)[0]
        assert obs.dtype == np.float32
        assert env.observation_space.contains(obs)


def test_an_action_beyond_its_bounds_is_kept_as_the_bound() -> None:
    """The environment gets 3 itself and adds it up; the history holds 2, the most that data may."""
    env = HistoryObservation(Counter(), 2)
    env.reset(seed=1)
    assert env.step(np.array([3.0]))[0].tolist() == [11, 3, 2, 10, 0]
    assert env.step(np.array([0.5]))[0].tolist() == [12, 3.5, 1, 11, 3]


def test_what_the_caller_writes_changes_no_history() -> None:
    env = HistoryObservation(Counter(), 2)
    env.reset(seed=1)[0][:] = 7
    assert env.step(np.array([2.0], np.float32))[0].tolist() == [11, 2, 2, 10, 0]


def test_a_history_of_one_changes_nothing() -> None:
    env = HistoryObservation(Counter(), 1)
    assert env.observation_space == Counter.observation_space
    assert env.reset(seed=1)[0].tolist() == [10, 0]
    assert env.step(np.array([2.0], np.float32))[0].tolist() == [11, 2]


def test_the_environment_shows_what_its_data_hold() -> None:
    """Record the pendulum without a history, and play the same episode with one."""
    bare, env = gym.make("Pendulum-v1"), HistoryObservation(gym.make("Pendulum-v1"), 4)
    bare.action_space.seed(0)
    actions = [bare.action_space.sample() for _ in range(20)]
    courses = []
    for played in (bare, env):
        course = [played.reset(seed=3)[0], *(played.step(action)[0] for action in actions)]
        courses.append(torch.tensor(np.array(course), dtype=torch.float32))
    plain, stacked = courses
    data = load_transitions(
        {
            "observations": plain[:-1],
            "actions": np.array(actions),
            "rewards": np.zeros(20),
            "next_observations": plain[1:],
            "terminals": np.zeros(20),
            "episode_starts": np.array([0]),
        },
        env_id="Pendulum-v1",
    )
    found = with_history(data, 4)
    assert found.obs.equal(stacked[:-1])
    assert found.next_obs.equal(stacked[1:])
    made = found.make_env()
    assert made.observation_space == env.observation_space
    assert made.reset(seed=3)[0].astype(np.float32).tolist() == stacked[0].tolist()
    assert made.spec is not None
    assert gym.make(made.spec).observation_space == env.observation_space


class Chosen(Counter):
    action_space = Discrete(3)  # type: ignore[assignment]


@pytest.mark.parametrize(("env", "history"), [(Chosen(), 2), (Counter(), 0)])
def test_what_has_no_history_is_refused(env: gym.Env[Any, Any], history: int) -> None:
    with pytest.raises(SettingsError):
        HistoryObservation(env, history)


def test_bounds_are_those_of_the_parts() -> None:
    space: Any = HistoryObservation(gym.make("Pendulum-v1"), 2).observation_space
    assert space.high.tolist() == [1, 1, 8, 2, 1, 1, 8]
    assert space.low.tolist() == [-1, -1, -8, -2, -1, -1, -8]
