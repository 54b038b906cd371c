from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions, load_transitions, with_history
from offline_envs.errors import SettingsError
from offline_envs.film import Replay, imagined, recorded, simulated
from tests.runs.tiny import DEMO
from tests.toy import toy_options, toy_transitions


def test_a_recording_is_the_rows_of_its_episode() -> None:
    shot = recorded(toy_transitions(), 1, 2)
    assert shot.obs.tolist() == [[0, 1], [1, 1], [2, 1]]
    assert shot.rewards.tolist() == [-1, -2]
    assert (len(shot), shot.ended) == (2, False)
    whole = recorded(toy_transitions(), 1, 99)
    assert (len(whole), whole.ended) == (3, True)


def test_a_replay_repeats_the_actions_of_its_episode() -> None:
    replay = Replay(toy_transitions(), 2)
    for _ in range(2):
        replay.begin()
        assert [replay(None).tolist() for _ in range(len(replay))] == [[-1], [0], [1]]


@pytest.mark.parametrize("episode", [-1, 3])
def test_an_episode_that_does_not_exist_is_refused(episode: int) -> None:
    with pytest.raises(SettingsError, match=f"episode must be from 0 to 2, got {episode}"):
        recorded(toy_transitions(), episode, 1)


class Watching:
    """Pushes to the right, and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def begin(self) -> None:
        self.seen = []

    def __call__(self, obs: Any, /) -> Any:
        self.seen.append(obs)
        return np.array([0.5], np.float32)


def test_a_dream_is_the_environments_own_from_the_first_state() -> None:
    env: Any = gym.make("LearnedModel-v0", **toy_options()).unwrapped
    actor = Watching()
    shot = imagined(env, 2, actor, 8, seed=4)
    assert (len(shot), shot.ended) == (8, False)  # past the horizon of training
    obs, _ = env.reset(seed=4, options={"obs": np.array([0.0, 2.0], np.float32)})
    for step in range(8):
        assert shot.obs[step].tolist() == obs.tolist() == actor.seen[step].tolist()
        obs, reward, *_ = env.step(np.array([0.5], np.float32))
        assert shot.rewards[step] == np.float32(reward)
    assert shot.obs[8].tolist() == obs.tolist()


@pytest.mark.filterwarnings("ignore:The termination rule agrees with")
def test_a_dream_that_ends_ends_the_shot() -> None:
    def always(obs: Any, action: Any, next_obs: Any) -> Any:
        return torch.ones(len(obs), dtype=torch.bool)

    env: Any = gym.make("LearnedModel-v0", **toy_options(termination=always)).unwrapped
    shot = imagined(env, 0, Watching(), 8, seed=0)
    assert (len(shot), shot.ended) == (1, True)


def unclipped(transitions: Transitions) -> int:
    """An episode of some length whose first velocities are far from the bound."""
    starts = transitions.episode_starts
    slow = (transitions.newest.obs[starts][:, 5:8].abs() < 5).all(dim=1)
    return int((slow & (transitions.episode_lengths > 4)).nonzero()[0])


def test_the_simulator_repeats_the_recording() -> None:
    demo = load_transitions(DEMO)
    episode = unclipped(demo)
    shot = simulated(demo, episode, Replay(demo, episode), 4)
    real = recorded(demo, episode, 4)
    np.testing.assert_allclose(shot.obs, real.obs, atol=1e-3)
    np.testing.assert_allclose(shot.rewards, real.rewards, atol=1e-3)
    assert (shot.title, real.title) == ("simulator", "recorded")


def test_a_policy_of_a_history_sees_the_history() -> None:
    """(o_t, a_{t−1}, o_{t−1}): what the policy did and saw the step before."""
    demo = with_history(load_transitions(DEMO), 2)
    episode, actor = unclipped(demo), Watching()
    shot = simulated(demo, episode, actor, 3)
    assert shot.obs.shape == (4, 9)
    first = demo.obs[demo.episode_starts[episode]].numpy()
    np.testing.assert_allclose(actor.seen[0], first, atol=1e-6)
    for t in (1, 2):
        np.testing.assert_array_equal(actor.seen[t], [*shot.obs[t], 0.5, *shot.obs[t - 1]])


def test_a_start_with_a_clipped_velocity_is_refused() -> None:
    demo = load_transitions(DEMO)
    clipped = demo.obs.clone()
    clipped[0, 6] = 10.0
    with pytest.raises(SettingsError, match=r"Episode 0 of .* begins with a velocity that was clipped"):
        simulated(replace(demo, obs=clipped), 0, Watching(), 3)
