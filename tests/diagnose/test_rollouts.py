import math
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.diagnose.rollouts import (
    dataset_steps,
    imagine,
    real_episodes,
)
from offline_envs.envs import ModelOptions, assemble
from offline_envs.policies import as_policy
from tests.toy import counting_ensemble, toy_transitions


def right_of_six_and_a_half(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 6.5


class Idle:
    """A policy that does nothing, and remembers whether it was asked to be deterministic."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        assert deterministic
        return np.zeros((*np.shape(observation)[:-1], 1), np.float32), None


def test_imagined_episodes_end_by_termination_or_horizon() -> None:
    """From obs₀ = 0, 1 or 2, the seventh, sixth or fifth step ends right of 6.5."""
    parts = assemble(
        toy_transitions(),
        options=ModelOptions(model=counting_ensemble(), termination=right_of_six_and_a_half),
    )
    generator = torch.Generator().manual_seed(0)
    found = imagine(parts.mdp, parts.starts, as_policy(Idle()), n=20, horizon=6, generator=generator)
    for episode in range(20):
        rows = found.episode == episode
        first = float(found.obs[rows][0, 0])
        length = min(6, 7 - int(first))
        assert found.time[rows].tolist() == list(range(1, length + 1))
        assert found.terminated[rows].tolist() == [False] * (length - 1) + [first > 0]
        torch.testing.assert_close(found.next_obs[rows][:, 0], first + found.time[rows], atol=1e-4, rtol=0)
    assert found.rewards.mean().item() == pytest.approx(1, abs=1e-4)
    assert not found.exploded.any()


def test_real_episodes_are_kept_step_by_step() -> None:
    env = gym.make("InvertedDoublePendulum-v5", max_episode_steps=3)
    result, found = real_episodes(env, Idle(), n_episodes=2, seed=5)
    env.close()
    assert found.time.tolist() == [1, 2, 3, 1, 2, 3]
    assert found.episode.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(found.next_obs[:2], found.obs[1:3])
    assert not torch.equal(found.next_obs[2], found.obs[3])
    assert found.rewards[:3].sum().item() == pytest.approx(result.returns[0])
    assert not found.terminated.any()


def test_actions_of_a_float64_space_are_float32() -> None:
    env = gym.make("InvertedDoublePendulum-v5", max_episode_steps=3)
    bounds = env.action_space
    env.action_space = gym.spaces.Box(-1.0, 1.0, bounds.shape, np.float64)
    _, found = real_episodes(env, Idle(), n_episodes=1, seed=5)
    env.close()
    assert found.actions.dtype == torch.float32


def test_the_mean_by_time_counts_while_half_of_the_episodes_last() -> None:
    steps = dataset_steps(toy_transitions(), torch.arange(6))
    assert steps.rewards.tolist() == toy_transitions().rewards[:6].tolist()
    assert steps.time.tolist() == [1] * 6
    longer = replace(steps, time=torch.tensor([1, 1, 3, 3, 1, 4]))
    found = longer.mean_by_time(torch.tensor([1.0, 2, 7, 9, 6, 5]))
    assert found[[0, 2]].tolist() == [3, 8]
    assert [math.isnan(value) for value in found.tolist()] == [False, True, False, True]
