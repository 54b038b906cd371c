"""MOReL (Kidambi et al. 2020) with sb3-contrib's TRPO: full episodes that halt where the model is unsure.

The policy first imitates the dataset, then follows the natural gradient inside the pessimistic model. The
paper takes steps of a fixed size along it; TRPO searches along it for one that improves and stays near.

    python examples/morel.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import gymnasium as gym
from sb3_contrib import TRPO

import offline_envs  # noqa: F401  registers the environments
from offline_envs import load_transitions
from offline_envs.envs import LearnedVectorEnv
from offline_envs.methods import HaltCounter
from offline_envs.sb3 import BehaviorCloner, RealEvalCallback, SB3VecEnv


@dataclass(frozen=True)
class Settings:
    """A small MOReL; the release takes 500 policy steps of 100 000 transitions at most."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    threshold: Mapping[str, float] = field(default_factory=lambda: {"mean_std": 5.0})
    kappa: float = 30.0
    n_envs: int = 100
    steps_per_env: int = 50
    policy_steps: int = 50
    clone_steps: int = 1_000
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [64, 64, 64]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 40})
    seed: int = 0


def main(settings: Settings) -> float:
    """Train in the model, and return the mean score in the real environment."""
    envs = gym.make_vec(
        "PessimisticModel-v0",
        num_envs=settings.n_envs,
        dataset=settings.dataset,
        threshold=dict(settings.threshold),
        kappa=settings.kappa,
        ensemble=dict(settings.ensemble),
        fit=dict(settings.fit),
    )
    cycle = settings.n_envs * settings.steps_per_env
    agent = TRPO(
        "MlpPolicy",
        SB3VecEnv(envs),
        n_steps=settings.steps_per_env,
        batch_size=cycle,
        gamma=0.999,
        policy_kwargs={"log_std_init": -0.25},
        seed=settings.seed,
    )
    transitions = load_transitions(settings.dataset)
    returns = transitions.episode_returns
    print(f"dataset: mean return {returns.mean():.0f}, best {returns.max():.0f}")
    BehaviorCloner(agent, transitions, seed=settings.seed).train(settings.clone_steps)
    real = RealEvalCallback(transitions.make_env, every=10, verbose=1)
    agent.learn(settings.policy_steps * cycle, real, log_interval=settings.policy_steps)
    halts = cast("LearnedVectorEnv", envs.unwrapped).monitor
    assert isinstance(halts, HaltCounter)
    print(f"{halts.rate:.1%} of {halts.n_episodes} imagined episodes halted")
    envs.close()
    return real.history[-1].result.mean


if __name__ == "__main__":
    main(Settings())
