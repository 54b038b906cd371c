from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from offline_envs.errors import SettingsError
from offline_envs.sb3 import EvaluationResult, evaluate_in


def push_right(obs: Any) -> int:
    del obs  # Unused.
    return 1


def test_returns_and_lengths_are_those_of_the_environment() -> None:
    env = gym.make("CartPole-v1")
    result = evaluate_in(env, push_right, n_episodes=3, seed=5)
    for episode in range(3):
        env.reset(seed=5 + episode)
        steps, ended = 0, False
        while not ended:
            _, _, ended, _, _ = env.step(1)
            steps += 1
        assert (result.returns[episode], result.lengths[episode]) == (steps, steps)
    assert result.mean == result.mean_length == result.returns.mean()
    assert result.env_id == "CartPole-v1"
    assert (result.normalized_score, result.source, result.normalized_std) == (None, None, None)


def test_an_episode_depends_only_on_its_own_seed() -> None:
    env = gym.make("CartPole-v1")
    whole = evaluate_in(env, push_right, n_episodes=4, seed=0)
    np.random.default_rng().random()
    later = evaluate_in(env, push_right, n_episodes=2, seed=2)
    assert later.returns.tolist() == whole.returns[2:].tolist()


def test_an_agent_acts_deterministically_on_float32() -> None:
    seen = []

    class Agent:
        def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, None]:
            seen.append((observation.dtype, deterministic))
            return np.zeros(1, np.float32), None

    env = gym.make("InvertedPendulum-v5", max_episode_steps=5)
    assert env.observation_space.dtype == np.float64
    evaluate_in(env, Agent(), n_episodes=1)
    assert set(seen) == {(np.dtype(np.float32), True)}


def test_a_made_environment_is_closed() -> None:
    closed = []

    class Closing(gym.Wrapper):
        def close(self) -> None:
            closed.append(True)
            super().close()

    evaluate_in(lambda: Closing(gym.make("CartPole-v1")), push_right, n_episodes=1)
    assert closed == [True]


def test_the_score_is_placed_between_the_reference_returns() -> None:
    # D4RL's Hopper: random -20.272305, expert 3234.3.
    result = EvaluationResult(np.array([1000.0, 2000.0]), np.array([300, 500]), "Hopper-v5")
    assert result.mean == 1500
    assert result.std == 500
    assert result.mean_length == 400
    assert result.normalized_score == pytest.approx(100 * (1500 + 20.272305) / (3234.3 + 20.272305))
    assert result.normalized_std == pytest.approx(100 * 500 / (3234.3 + 20.272305))
    assert result.source is not None
    assert "D4RL" in result.source


def test_no_episodes_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1, got 0"):
        evaluate_in(gym.make("CartPole-v1"), push_right, n_episodes=0)
