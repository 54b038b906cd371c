"""MOPO (Yu et al. 2020) with Stable-Baselines3's SAC, step by step.

Hundreds of short imagined episodes advance together; SAC takes a gradient step after a number of their
transitions, on batches of which a twentieth comes from the dataset; the real environment only keeps score.

    python examples/mopo.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from stable_baselines3 import SAC

import offline_envs  # noqa: F401  registers the environments
from offline_envs import load_transitions
from offline_envs.sb3 import MixedReplayBuffer, RealEvalCallback, SB3VecEnv, mopo_schedule


@dataclass(frozen=True)
class Settings:
    """A small MOPO; the paper's has horizon 5, 50 * horizon transitions a gradient step, and 1e6 of them."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    horizon: int = 5
    penalty_coef: float = 1.0
    real_ratio: float = 0.05
    n_envs: int = 250
    transitions_per_gradient_step: int = 50
    gradient_steps: int = 5_000
    eval_every: int = 1_000
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [64, 64, 64]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 40})
    net_arch: tuple[int, ...] = (64, 64)
    seed: int = 0


def main(settings: Settings) -> float:
    """Train in the model, and return the mean score in the real environment."""
    envs = gym.make_vec(
        "PenalizedModel-v0",
        num_envs=settings.n_envs,
        dataset=settings.dataset,
        penalty_coef=settings.penalty_coef,
        max_episode_steps=settings.horizon,
        ensemble=dict(settings.ensemble),
        fit=dict(settings.fit),
    )
    agent = SAC(
        "MlpPolicy",
        SB3VecEnv(envs),
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": settings.dataset, "real_ratio": settings.real_ratio},
        policy_kwargs={"net_arch": list(settings.net_arch)},
        seed=settings.seed,
        **mopo_schedule(
            settings.n_envs,
            settings.horizon,
            transitions_per_gradient_step=settings.transitions_per_gradient_step,
        ),
    )
    transitions = load_transitions(settings.dataset)
    returns = transitions.episode_returns
    print(f"dataset: mean return {returns.mean():.0f}, best {returns.max():.0f}")
    real = RealEvalCallback(transitions.make_env, every=settings.eval_every, verbose=1)
    timesteps = settings.gradient_steps * settings.transitions_per_gradient_step
    agent.learn(timesteps, real, log_interval=timesteps)
    envs.close()
    return real.history[-1].result.mean


if __name__ == "__main__":
    main(Settings())
