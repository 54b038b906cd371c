from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.collect import GrowingDataset
from offline_envs.errors import DatasetError, SettingsError

ENV = "InvertedDoublePendulum-v5"


class Still:
    """An action of 0, whatever the observation."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, None]:
        del observation, deterministic  # Unused.
        return np.zeros(1, np.float32), None


class Counting:
    """Acts by how often its state was given back to it."""

    def predict(self, observation: Any, state: Any = None, deterministic: bool = True) -> tuple[Any, int]:
        del observation, deterministic  # Unused.
        count = 0 if state is None else state + 1
        return np.array([count / 1000], np.float32), count


def test_steps_are_those_of_the_environment() -> None:
    """A plain loop over the same environment, from the same seed, with its own generator from then on."""
    data = GrowingDataset(gym.make(ENV), seed=3)
    data.collect(Still(), 15)
    data.collect(Still(), 10)
    found, env = data.transitions, gym.make(ENV)
    row, seed = 0, 3
    for steps in (15, 10):
        obs, _ = env.reset(seed=seed if row == 0 else None)
        for _ in range(steps):
            next_obs, reward, terminated, _, _ = env.step(np.zeros(1, np.float32))
            torch.testing.assert_close(found.obs[row], torch.as_tensor(obs).float())
            torch.testing.assert_close(found.next_obs[row], torch.as_tensor(next_obs).float())
            assert found.rewards[row].item() == pytest.approx(float(reward))
            assert bool(found.terminated[row]) == terminated
            obs, row = next_obs, row + 1
            if terminated:
                obs, _ = env.reset()
    assert len(found) == len(data) == 25
    assert found.env_id == ENV
    assert 15 in found.episode_starts.tolist()  # an episode that was cut is not continued


def test_a_policy_gets_its_state_back_within_an_episode() -> None:
    data = GrowingDataset(gym.make(ENV), seed=0)
    data.collect(Counting(), 20)
    found = data.transitions
    starts = found.episode_starts.tolist()
    assert found.actions[starts].abs().max() == 0
    assert found.actions[1].item() == pytest.approx(0.001)


def test_the_same_seed_gives_the_same_steps() -> None:
    first, second = GrowingDataset(gym.make(ENV), seed=1), GrowingDataset(gym.make(ENV), seed=1)
    for data in (first, second):
        data.collect_uniformly(20)
    assert first.transitions.fingerprint == second.transitions.fingerprint


def test_what_cannot_grow_is_refused() -> None:
    data = GrowingDataset(gym.make(ENV))
    with pytest.raises(DatasetError, match="Nothing was collected yet"):
        _ = data.transitions
    with pytest.raises(SettingsError, match="steps must be at least 1, got 0"):
        data.collect_uniformly(0)
    with pytest.raises(SettingsError, match=r"must be made by gym\.make"):
        GrowingDataset(gym.make(ENV).unwrapped.__class__())
