"""Record a heated pipe under its PI controller: a plant with a delay, and a state that nothing measures.

    python examples/heated_pipe.py

What leaves the pipe was heated many steps ago, and neither the heater nor the water in the pipe is measured.
`plant_with_delay.py` learns from the records.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

ENV_ID = "HeatedPipe-v0"

PROPORTIONAL, INTEGRAL = 0.1, 0.02
"""Gains of the controller, for scaled temperatures."""

CENTRE, UNIT = 45.0, 15.0
"""Of temperatures in observations [°C, K]."""


class HeatedPipe(gym.Env[Any, Any]):
    """Plug flow of ten cells, one a step, behind a heater that lags.

    Observations are the temperature of the outlet, with noise, and its set-point, which jumps now and then;
    the reward is minus their distance [10 K]. The heater's state, the water on its way and the temperature at
    the inlet, which drifts, are hidden. Actions from −1 to 1 are the heater's power from 0 to 70 K.
    """

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin with the whole pipe at one temperature."""
        super().reset(seed=seed)
        self.inlet, self.heat = 15.0, self.np_random.uniform(10, 40)
        self.cells = np.full(10, self.inlet + self.heat)
        self.set_point = self._drawn()
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Heat, move the water on by one cell, and lose 1 % of its warmth to surroundings of 10 °C."""
        power = (float(np.clip(action[0], -1, 1)) + 1) / 2
        self.heat += (70 * power - self.heat) / 4
        self.inlet += 0.02 * (15 - self.inlet) + self.np_random.normal(0, 0.3)
        on_the_way = self.cells[:-1] - 0.01 * (self.cells[:-1] - 10)
        self.cells = np.concatenate([[self.inlet + self.heat], on_the_way])
        reward = -abs(float(self.cells[-1]) - self.set_point) / 10
        if self.np_random.random() < 0.005:
            self.set_point = self._drawn()
        return self._obs(), reward, False, False, {}

    def _drawn(self) -> float:
        return float(self.np_random.choice([30.0, 40.0, 50.0, 60.0]))

    def _obs(self) -> Any:
        outlet = self.cells[-1] + self.np_random.normal(0, 0.1)
        return ((np.array([outlet, self.set_point]) - CENTRE) / UNIT).astype(np.float32)


if ENV_ID not in gym.registry:
    gym.register(ENV_ID, entry_point=lambda **_: HeatedPipe(), max_episode_steps=500)


def controlled(n_episodes: int, *, noise: float, seed: int) -> dict[str, Any]:
    """Steps of the PI controller, as arrays that `load_transitions` reads.

    Args:
        n_episodes: Number of episodes, of 500 steps each.
        noise: Deviation of a step of the slowly varying noise on its actions.
        seed: Seed of the noise, and of the first episode.
    """
    env, rng = gym.make(ENV_ID), np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for episode in range(n_episodes):
        obs, ended, total, drift = env.reset(seed=seed + episode)[0], False, 0.0, 0.0
        while not ended:
            error = float(obs[1] - obs[0])
            total = float(np.clip(total + INTEGRAL * error, -1, 1))
            drift = 0.9 * drift + noise * rng.normal()
            action = np.clip([PROPORTIONAL * error + total + drift], -1, 1).astype(np.float32)
            next_obs, reward, _, ended, _ = env.step(action)
            rows.append((obs, action, reward, next_obs, False, ended))
            obs = next_obs
    names = ("observations", "actions", "rewards", "next_observations", "terminals", "timeouts")
    return {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


@dataclass(frozen=True)
class Settings:
    """The batch."""

    output: Path = Path("runs/heated-pipe.npz")
    n_episodes: int = 100
    noise: float = 0.05
    seed: int = 0


def main(settings: Settings) -> float:
    """Write the batch, and return the controller's mean return in it."""
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    batch = controlled(settings.n_episodes, noise=settings.noise, seed=settings.seed)
    np.savez(settings.output, **batch)
    mean = float(batch["rewards"].sum()) / settings.n_episodes
    print(f"{len(batch['rewards'])} steps with a mean return of {mean:.1f}: {settings.output}")
    return mean


if __name__ == "__main__":
    main(Settings())
