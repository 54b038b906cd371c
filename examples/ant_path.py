"""Plot the paths of ants: the best episodes of a dataset for ant-angle, and those of a policy trained for it.

python examples/ant_path.py DATASET POLICY.zip ant_path.png [AGENT]

AGENT is the kind of the saved policy: sac (the default), trpo, tqc, ...
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs import Transitions
from offline_envs.sb3 import agent_class
from offline_envs.tasks import relabel


@dataclass(frozen=True)
class Settings:
    """What is plotted."""

    dataset: str
    policy: Path
    output: Path
    agent: str = "sac"
    degrees: float = 30.0
    n_episodes: int = 10


def main(settings: Settings) -> float:
    """Draw the plot, and return the angle between the policy's direction and the intended one [degrees]."""
    transitions = relabel(settings.dataset, f"ant-angle:degrees={settings.degrees}")
    env: Any = transitions.make_env()
    policy = agent_class(settings.agent).load(settings.policy, device="cpu")
    walked = [policy_path(env, policy, seed) for seed in range(settings.n_episodes)]
    env.close()
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for color, name, paths in (
        ("tab:gray", f"best {settings.n_episodes} episodes of the data", best_paths(transitions, settings)),
        ("tab:blue", "policy", walked),
    ):
        for path in paths:
            axes.plot(*path.T, color=color, alpha=0.6, label=name if path is paths[0] else None)
    slope = math.tan(math.radians(settings.degrees))
    axes.axline((0, 0), slope=slope, color="k", linestyle="--", label=f"{settings.degrees:g} degrees")
    axes.set(xlabel="x [m]", ylabel="y [m]", aspect="equal")
    axes.legend()
    figure.savefig(settings.output, dpi=100)
    plt.close(figure)
    x, y = np.sum([path[-1] - path[0] for path in walked], axis=0)
    return abs(math.degrees(math.atan2(y, x)) - settings.degrees)


def best_paths(transitions: Transitions, settings: Settings) -> list[Any]:
    """Paths of the episodes with the highest returns, `(T, 2)` each."""
    positions = np.stack([transitions.infos["x_position"], transitions.infos["y_position"]], axis=1)
    best = transitions.episode_returns.argsort(descending=True)[: settings.n_episodes].tolist()
    starts, lengths = transitions.episode_starts.tolist(), transitions.episode_lengths.tolist()
    return [positions[starts[e] : starts[e] + lengths[e]] for e in best]


def policy_path(env: Any, policy: BaseAlgorithm, seed: int) -> Any:
    """Path of the policy's deterministic actions in one episode, `(T + 1, 2)`."""
    obs, _ = env.reset(seed=seed)
    path = [env.unwrapped.data.qpos[:2].copy()]
    terminated = truncated = False
    while not (terminated or truncated):
        obs, _, terminated, truncated, _ = env.step(policy.predict(obs, deterministic=True)[0])
        path.append(env.unwrapped.data.qpos[:2].copy())
    return np.array(path)


if __name__ == "__main__":
    dataset, policy, output, *more = sys.argv[1:]
    main(Settings(dataset, Path(policy), Path(output), agent=more[0] if more else "sac"))
