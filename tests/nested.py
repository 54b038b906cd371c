"""A tiny real environment of Dict observations, and steps recorded in it."""

from collections import OrderedDict
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

CART_SPACE = Dict(
    OrderedDict(speed=Box(-5.0, 5.0, (1,), np.float64), place=Box(-np.inf, np.inf, (2,), np.float64))
)
"""Not in the order of the names: columns are place₀, place₁, speed₀."""


class Cart(gym.Env[dict[str, NDArray[np.float64]], NDArray[np.float32]]):
    """place = (x, 10 + x), speed += a, x += speed; the reward is −x²."""

    observation_space: Any = CART_SPACE
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self._x, self._speed = self.np_random.uniform(-1, 1), 0.0
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._speed = float(np.clip(self._speed + float(action[0]), -5, 5))
        self._x += self._speed
        return self._obs(), -(self._x**2), False, False, {}

    def _obs(self) -> dict[str, NDArray[np.float64]]:
        return {"speed": np.array([self._speed]), "place": np.array([self._x, 10 + self._x])}


gym.register("Cart-v0", entry_point="tests.nested:Cart", max_episode_steps=10)


def cart_rows(n_episodes: int = 12) -> dict[str, Any]:
    """Uniform actions, as arrays of `load_transitions`, observations by name."""
    env = gym.make("Cart-v0")
    env.action_space.seed(0)
    rows: list[tuple[Any, ...]] = []
    for episode in range(n_episodes):
        obs, _ = env.reset(seed=episode)
        ended = False
        while not ended:
            action = env.action_space.sample()
            next_obs, reward, terminated, truncated, _ = env.step(action)
            rows.append((obs, action, reward, next_obs, terminated, truncated))
            obs, ended = next_obs, terminated or truncated
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = ("obs", "actions", "rewards", "next_obs", "terminated", "truncated")
    found: dict[str, Any] = dict(zip(names, columns, strict=True))
    for name in ("obs", "next_obs"):
        found[name] = {part: np.stack([obs[part] for obs in found[name]]) for part in CART_SPACE.spaces}
    return {n: v if isinstance(v, dict) else np.array(v) for n, v in found.items()}


def write_cart(dataset_id: str) -> str:
    """The same as a Minari dataset, which names the environment."""
    from minari.data_collector import EpisodeBuffer

    from tests.data.worlds import write_minari

    rows = cart_rows()
    ends = np.flatnonzero(rows["terminated"] | rows["truncated"]) + 1
    buffers = []
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        step, obs, after = slice(first, end), rows["obs"], rows["next_obs"]
        arrays: dict[str, Any] = {
            "observations": {n: np.concatenate([obs[n][step], after[n][end - 1 : end]]) for n in obs},
            "actions": rows["actions"][step],
            "rewards": rows["rewards"][step],
            "terminations": rows["terminated"][step],
            "truncations": rows["truncated"][step],
        }
        buffers.append(EpisodeBuffer(**arrays))
    write_minari(dataset_id, buffers, observation_space=CART_SPACE, env="Cart-v0")
    return dataset_id
