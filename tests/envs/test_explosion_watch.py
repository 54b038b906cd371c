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
    (message,) = looked([0, 0, 5, 25, 60, 80, 90, 100] + [100] * 500)
    assert message.startswith("25 of 40 imagined steps left the data")


def test_few_are_not() -> None:
    assert looked([19] * 500) == []
    assert looked([4 * step for step in range(500)], n=1000) == []


def test_they_are_seen_whenever_they_come() -> None:
    (message,) = looked([0] * 300 + [1000] * 200)
    assert message.startswith("1000 of 3840 imagined steps")


def nearly_constant(jitter: float, n: int = 600) -> dict[str, Any]:
    """A column of 0.04 that varies by `jitter`, beside two ordinary ones."""
    rng = np.random.default_rng(0)
    obs, actions = rng.normal(size=(n, 3)), rng.uniform(-1, 1, (n, 1))
    next_obs = 0.95 * obs + 0.1 * actions
    obs[:, 1], next_obs[:, 1] = (0.04 + jitter * rng.normal(size=(2, n))).tolist()
    flags = {"terminals": np.zeros(n, bool), "timeouts": np.arange(n) % 50 == 49}
    return {
        "observations": obs.astype(np.float32),
        "actions": actions.astype(np.float32),
        "next_observations": next_obs.astype(np.float32),
        "rewards": obs[:, 0].astype(np.float32),
        **flags,
    }


@pytest.mark.filterwarnings("ignore:.*(horizon|successors|do not follow|constant)")
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
    for _ in range(5):
        envs.step(envs.action_space.sample())
    assert learned.n_exploded == 0
