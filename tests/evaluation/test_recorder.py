"""The recorder on an environment known by heart: observation t is (t, 10 t), the reward is t."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

from offline_envs.evaluation.recorder import EpisodeRecorder


class Counter(gym.Env[Any, Any]):
    """Counts steps and terminates at `end`."""

    observation_space = Box(-np.inf, np.inf, (2,))
    action_space = Box(-1.0, 1.0, (1,))

    def __init__(self, end: int) -> None:
        self.end, self.t = end, 0
        self._obs = np.zeros(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.t = 0
        self._obs[:] = 0  # One buffer for all observations, as some environments have.
        return self._obs, {"t": 99.0}

    def step(self, action: Any) -> Any:
        self.t += 1
        self._obs[:] = self.t, 10 * self.t
        self.done_with = action
        info = {"t": self.t, "name": "text", "both": np.ones(2)} | ({"late": 1.0} if self.t > 1 else {})
        return self._obs, float(self.t), self.t == self.end, False, info


def only_episode(recorder: EpisodeRecorder) -> Any:
    (episode,) = recorder.finish()
    return episode


def test_an_episode_is_recorded_whole() -> None:
    recorder = EpisodeRecorder(Counter(end=2))
    recorder.reset()
    recorder.step(np.array([0.5]))
    recorder.step(np.array([-0.5]))
    episode = only_episode(recorder)
    np.testing.assert_array_equal(episode.observations, [[0, 0], [1, 10], [2, 20]])
    np.testing.assert_array_equal(episode.actions, [[0.5], [-0.5]])
    np.testing.assert_array_equal(episode.rewards, [1, 2])
    np.testing.assert_array_equal(episode.terminations, [False, True])
    np.testing.assert_array_equal(episode.truncations, [False, False])
    for array in (episode.observations, episode.actions, episode.rewards):
        assert array.dtype == np.float32


def test_infos_begin_with_a_zero_row_and_are_those_of_every_step() -> None:
    recorder = EpisodeRecorder(Counter(end=2))
    recorder.reset()
    recorder.step(np.zeros(1))
    recorder.step(np.zeros(1))
    episode = only_episode(recorder)
    assert set(episode.infos) == {"t", "both"}
    np.testing.assert_array_equal(episode.infos["t"], [0, 1, 2])
    np.testing.assert_array_equal(episode.infos["both"], [[0, 0], [1, 1], [1, 1]])


def test_infos_missing_in_another_episode_are_left_out() -> None:
    class Named(Counter):
        def step(self, action: Any) -> Any:
            *rest, info = super().step(action)
            return *rest, info | {f"end{self.end}": 1.0}

    env = Named(end=1)
    recorder = EpisodeRecorder(env)
    for env.end in (1, 2):
        recorder.reset()
        recorder.step(np.zeros(1))
    assert [set(e.infos or {}) for e in recorder.finish()] == [{"t", "both"}] * 2


def test_a_time_limit_truncates_and_never_terminates() -> None:
    recorder = EpisodeRecorder(TimeLimit(Counter(end=9), 2))
    recorder.reset()
    recorder.step(np.zeros(1))
    recorder.step(np.zeros(1))
    episode = only_episode(recorder)
    assert list(episode.truncations) == [False, True]
    assert list(episode.terminations) == [False, False]


def test_a_reset_or_the_finish_cuts_an_episode_as_truncated() -> None:
    recorder = EpisodeRecorder(Counter(end=9))
    for _ in range(2):
        recorder.reset()
        recorder.step(np.zeros(1))
    recorder.reset()  # An episode without a step is none.
    episodes = recorder.finish()
    assert [list(e.truncations) for e in episodes] == [[True], [True]]
    assert [e.id for e in episodes] == [0, 1]


def test_the_recorded_action_is_the_one_that_was_done() -> None:
    env = Counter(end=9)
    recorder = EpisodeRecorder(env)
    recorder.reset()
    recorder.step(np.array([1.0000001]))
    episode = only_episode(recorder)
    assert episode.actions[0, 0] == env.done_with[0] == 1.0


def test_every_step_is_reported() -> None:
    calls: list[None] = []
    recorder = EpisodeRecorder(Counter(end=9), lambda: calls.append(None))
    recorder.reset()
    for _ in range(3):
        recorder.step(np.zeros(1))
    assert len(calls) == 3


def test_episodes_are_handed_over_once_and_one_under_way_goes_on() -> None:
    """What was taken lies in a file; taken again it would be in the dataset twice."""
    recorder = EpisodeRecorder(Counter(end=2))
    taken: list[int] = []
    for _ in range(3):
        recorder.reset()
        between = recorder.is_between_episodes
        assert between
        recorder.step(np.zeros(1))
        between = recorder.is_between_episodes
        assert not between
        taken = [len(e) for e in recorder.take()]
        recorder.step(np.zeros(1))
    assert recorder.is_between_episodes
    assert taken == [2]
    assert [len(e) for e in recorder.finish()] == [2]
    assert recorder.finish() == []
