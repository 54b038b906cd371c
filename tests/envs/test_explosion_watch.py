import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.envs.explosion_watch import ExplosionWatch


def looked(totals: list[int], n: int = 10) -> list[str]:
    """Messages after that many rejected predictions at each step."""
    watch = ExplosionWatch(n)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for total in totals:
            watch.look(torch.tensor(total))
    return [str(warning.message) for warning in caught]


def test_many_are_told_once() -> None:
    (message,) = looked([0, 0, 5, 25, 30, 30, 30, 60] + [100] * 500)
    assert message.startswith("60 of 80 imagined steps left the data")


def test_few_are_not() -> None:
    assert looked([19] * 500) == []
    assert looked([4 * step for step in range(500)], n=1000) == []


def test_they_are_seen_whenever_they_come() -> None:
    (message,) = looked([0] * 300 + [1000] * 200)
    assert message.startswith("1000 of 3840 imagined steps")


def test_what_was_counted_before_a_resumption_counts_on() -> None:
    """30 of 7000 steps are few when all are counted, and many of the 80 after a resumption."""
    watch, resumed = ExplosionWatch(10), ExplosionWatch(10)
    for step in range(700):
        watch.look(torch.tensor(30 if step > 600 else 0))
    resumed.resume(watch.state())
    unknown = ExplosionWatch(10)
    unknown.resume(None)
    for other in (resumed, unknown):
        for _ in range(8):
            other.look(torch.tensor(30))  # a warning is an error


def nearly_constant(jitter: float, n: int = 600, length: int = 50) -> dict[str, Any]:
    """A column of 0.04 that varies by `jitter`, beside two that follow the action."""
    rng = np.random.default_rng(0)
    actions, states = rng.uniform(-1, 1, (n, 1)), rng.normal(size=(n // length, length + 1, 3))
    for t in range(length):
        states[:, t + 1] = 0.95 * states[:, t] + 0.1 * actions.reshape(-1, length, 1)[:, t]
    states[:, :, 1] = 0.04 + jitter * rng.normal(size=states.shape[:2])
    states = states.astype(np.float32)
    return {
        "observations": states[:, :-1].reshape(n, 3),
        "next_observations": states[:, 1:].reshape(n, 3),
        "actions": actions.astype(np.float32),
        "rewards": states[:, :-1, 0].reshape(n),
        "terminals": np.zeros(n, bool),
        "timeouts": np.arange(n) % length == length - 1,
    }


@pytest.mark.parametrize("jitter", [0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2])
def test_a_nearly_constant_column_does_not_explode(jitter: float) -> None:
    envs = gym.make_vec(
        "LearnedModel-v0",
        num_envs=200,
        dataset=nearly_constant(jitter),
        termination="never",
        max_episode_steps=5,
        ensemble={"hidden": [32, 32], "n_members": 3, "n_elites": 2},
        fit={"max_epochs": 15},
        progress=False,
    )
    learned: Any = envs.unwrapped
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(10):
        envs.step(envs.action_space.sample())
    assert learned.n_exploded == 0
    assert abs(learned.obs[:, 1] - 0.04).max().item() < 0.01 + 10 * jitter
