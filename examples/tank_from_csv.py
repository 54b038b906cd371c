"""From a CSV file to a policy: a water tank that an interlock shuts down, for reasons the file does not say.

    python examples/tank_from_csv.py --smoke     # tries everything in a minute
    python examples/tank_from_csv.py             # writes runs/tank/tank.csv and trains from it

The file marks the steps that ended in a shutdown, and the model learns from them when there is one. The
simulation below writes the file and scores the policy, no more.
"""

import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

from offline_envs.data import load_transitions, read_columns
from offline_envs.runs import TrainSettings, train

ENV_ID = "Tank-v0"

COLUMNS = """
obs = ["level", "inflow"]
action = "valve"
reward = "pressure"
episode = "shift"
terminated = "shut_down"
time = "minute"
units = { level = "m", inflow = "m3/min" }
"""  # the last row of a shift has an empty valve: it holds the final observation only


class Tank(gym.Env[Any, Any]):
    """A tank whose inflow drifts; a higher level gives more pressure, and above 1.8 m it is shut down."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(0.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin half full."""
        super().reset(seed=seed)
        self.level, self.inflow = self.np_random.uniform(0.6, 1.2), 0.5
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Let the water run for a minute through an outlet that the valve opens."""
        pressure = float(np.sqrt(self.level))
        change = 0.1 * (self.inflow - float(np.clip(action[0], 0, 1)) * pressure)
        self.level = max(self.level + change, 0.01)
        self.inflow += 0.05 * (0.5 - self.inflow) + self.np_random.normal(0, 0.03)
        return self._obs(), pressure, self.level > 1.8, False, {}

    def _obs(self) -> Any:
        return np.array([self.level, self.inflow], np.float32)


if ENV_ID not in gym.registry:
    gym.register(ENV_ID, entry_point=lambda **_: Tank(), max_episode_steps=200)


def write_csv(path: Path, n_shifts: int) -> None:
    """Record shifts in which operators hold levels of their liking, with an unsteady hand."""
    env, rng = gym.make(ENV_ID), np.random.default_rng(0)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["shift", "minute", "level", "inflow", "valve", "pressure", "shut_down"])
        for shift in range(n_shifts):
            obs, minute, ended, liked = env.reset(seed=shift)[0], 0, False, rng.uniform(0.5, 2.0)
            while not ended:
                valve = np.clip([0.5 + obs[0] - liked + rng.normal(0, 0.2)], 0, 1).astype(np.float32)
                next_obs, pressure, shut_down, cut, _ = env.step(valve)
                table.writerow([shift, minute, *obs, *valve, f"{pressure:.6f}", shut_down])
                obs, minute, ended = next_obs, minute + 1, shut_down or cut
            table.writerow([shift, minute, *obs, "", "", ""])


RUN: Mapping[str, Any] = {
    **{"agent": "fastsac", "gradient_steps": 5_000, "eval_every": 1_000, "horizon": 10},
    **{"transitions_per_gradient_step": 50.0, "agent_options": {"learning_rate": 1e-3}},
    **{"ensemble": {"hidden": [64, 64]}, "fit": {"max_epochs": 24, "schedule": "cosine"}},
}
TINY: Mapping[str, Any] = {
    **{"gradient_steps": 4, "eval_every": 4, "horizon": 2, "n_envs": 10, "eval_episodes": 1},
    **{"final_episodes": 1, "ensemble": {"hidden": [16]}, "fit": {"max_epochs": 1}},
}


@dataclass(frozen=True)
class Settings:
    """The file and the run."""

    folder: Path = Path("runs/tank")
    n_shifts: int = 100
    run: Mapping[str, Any] = field(default_factory=lambda: RUN)


SMOKE = Settings(Path("runs/tank-smoke"), 10, TINY)


def main(settings: Settings) -> dict[str, float]:
    """Write the file and train; return the mean return of its shifts and of the policy."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    data, columns = settings.folder / "tank.csv", settings.folder / "tank.toml"
    write_csv(data, settings.n_shifts)
    columns.write_text(COLUMNS, encoding="utf-8")
    scores = {"operators": float(load_transitions(data, columns=columns).episode_returns.mean())}
    given = {"dataset": str(data), "columns": read_columns(columns), "env_id": ENV_ID}
    chosen = TrainSettings.for_algorithm({**given, "termination": "learned", **settings.run})
    scores["policy"] = train(chosen, settings.folder / "run", resume=True).real_return
    print(", ".join(f"{name}: {score:.0f}" for name, score in scores.items()))
    return scores


if __name__ == "__main__":
    main(SMOKE if "--smoke" in sys.argv else Settings())
