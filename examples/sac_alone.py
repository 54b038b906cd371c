"""SAC in the real environment alone, to compare the other loops with at equal real steps.

It takes a gradient step for each real step, as usual. The curve is written beside those of the other loops.

    python examples/sac_alone.py [--seed 0] [--smoke]
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3 import SAC

from offline_envs.evaluation import LearningCurve, evaluate_in, plot_curves


@dataclass(frozen=True)
class Settings:
    """As many real steps as `mbpo_online.py` takes, and evaluations at the same ones."""

    env_id: str = "InvertedDoublePendulum-v5"
    first_steps: int = 500
    steps_per_round: int = 250
    rounds: int = 18
    eval_steps: int = 300
    net_arch: tuple[int, ...] = (64, 64)
    folder: Path = Path("runs/loops")
    seed: int = 0


SMOKE: dict[str, Any] = {"first_steps": 10, "steps_per_round": 10, "rounds": 2, "eval_steps": 5}


def main(settings: Settings) -> float:
    """Train and evaluate in turn, and return the last evaluation's mean."""
    curve = LearningCurve(settings.folder / f"sac-seed{settings.seed}.csv")
    real = gym.make(settings.env_id, max_episode_steps=settings.eval_steps)
    arch = {"net_arch": list(settings.net_arch)}
    agent = SAC("MlpPolicy", settings.env_id, policy_kwargs=arch, seed=settings.seed, device="cpu")
    agent.learn(settings.first_steps)
    for number in range(settings.rounds):
        if number > 0:
            agent.learn(settings.steps_per_round, reset_num_timesteps=False)
        found = evaluate_in(real, agent, n_episodes=5, seed=1000)
        curve.add(agent.num_timesteps, found)
        print(f"{agent.num_timesteps} real steps: {found.mean:.0f} in {found.mean_length:.0f} steps")
    plot_curves(settings.folder, settings.folder / "curves.png")
    return found.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    main(Settings(**(SMOKE if given.smoke else {}), seed=given.seed))
