"""Train Stable-Baselines3's SAC in a learned environment, without any adapter.

`PenalizedModel-v0` is MOPO's pessimistic environment (Yu et al. 2020): an ordinary registered Gymnasium
environment, so that any agent trains in it unchanged.

    python examples/single_env.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3 import SAC
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor


@dataclass(frozen=True)
class Settings:
    """The environment to train in, and the number of steps."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    real_env: str = "InvertedDoublePendulum-v5"
    penalty_coef: float = 1.0
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [64, 64]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 20})
    steps: int = 10_000


def main(settings: Settings) -> float:
    """Train in the model, and return the mean score in the real environment."""
    env = gym.make(
        "offline_envs:PenalizedModel-v0",
        dataset=settings.dataset,
        penalty_coef=settings.penalty_coef,
        ensemble=dict(settings.ensemble),
        fit=dict(settings.fit),
    )
    agent = SAC("MlpPolicy", env, seed=0).learn(settings.steps)
    real = Monitor(gym.make(settings.real_env))
    returns, _ = evaluate_policy(agent, real, n_eval_episodes=10, return_episode_rewards=True)
    mean = float(np.mean(returns))
    print(f"real return {mean:.0f} ± {np.std(returns):.0f}")
    real.close()
    env.close()
    return mean


if __name__ == "__main__":
    main(Settings())
