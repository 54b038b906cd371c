"""Recorded steps of CartPole, and of a toy world with several choices at once."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions, load_transitions

FAST_FIT: dict[str, Any] = {
    "ensemble": {"n_members": 2, "n_elites": 2, "hidden": (32,)},
    "fit": {"max_epochs": 3},
}
"""An ensemble that is fitted in a second."""

gym.register(
    "Odd-v0", entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv", max_episode_steps=500
)
"""CartPole by a name of which nothing is known."""


def cart_pole_arrays(steps: int = 400, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Uniform actions in CartPole-v1, as integers."""
    env = gym.make("CartPole-v1")
    env.action_space.seed(seed)
    rows: dict[str, list[Any]] = {
        n: [] for n in ("obs", "actions", "rewards", "next_obs", "terminated", "truncated")
    }
    obs, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = env.action_space.sample()
        next_obs, reward, terminated, truncated, _ = env.step(action)
        for name, value in zip(rows, (obs, action, reward, next_obs, terminated, truncated), strict=True):
            rows[name].append(value)
        obs = env.reset()[0] if terminated or truncated else next_obs
    rows["truncated"][-1] = not rows["terminated"][-1]
    return {name: np.array(values) for name, values in rows.items()}


def cart_pole(steps: int = 400) -> Transitions:
    """The same as transitions of CartPole-v1."""
    return load_transitions(cart_pole_arrays(steps), env_id="CartPole-v1")


def choosing(space: Discrete | MultiDiscrete, n: int = 60) -> Transitions:
    """One episode in which obs is (t, 1), whatever is chosen; the reward is the first choice."""
    space.seed(0)
    actions = np.stack([np.asarray(space.sample()) for _ in range(n)])
    obs = np.stack([np.arange(n + 1.0), np.ones(n + 1)], axis=1)
    return load_transitions(
        {
            "obs": obs[:-1],
            "actions": actions,
            "rewards": actions.reshape(n, -1)[:, 0],
            "next_obs": obs[1:],
            "terminated": np.zeros(n, bool),
            "episode_starts": np.array([0]),
        },
        action_space=space,
    )


def pays_the_choice(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """A known model of `choosing`: obs₀ + 1, and the reward Σ_j j·a_j over the columns of the choices."""
    reward = action @ torch.arange(action.shape[1], dtype=torch.float32)
    return obs + torch.tensor([1.0, 0.0]), reward


def chosen_options(space: Discrete | MultiDiscrete, **changes: Any) -> dict[str, Any]:
    """Settings of `gym.make` and `gym.make_vec` for a learned environment of that world."""
    return {"dataset": choosing(space), "model": pays_the_choice, "termination": "never", **changes}
