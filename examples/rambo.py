"""RAMBO (Rigter et al. 2022) with Stable-Baselines3's SAC: policy and model change in turns.

python examples/rambo.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from stable_baselines3 import SAC

import offline_envs  # noqa: F401  registers the environments
from offline_envs import load_transitions
from offline_envs.adversary import AdversarySettings
from offline_envs.dynamics import FitSettings
from offline_envs.sb3 import (
    AdversarialCallback,
    BehaviorCloner,
    MixedReplayBuffer,
    RealEvalCallback,
    SB3VecEnv,
    mopo_schedule,
)


@dataclass(frozen=True)
class Settings:
    """A small RAMBO; the release takes 2e6 gradient steps, and 1000 of the adversary after every 1000."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    horizon: int = 5
    adv_weight: float = 3e-4
    adversary_every: int = 250
    n_envs: int = 250
    transitions_per_gradient_step: int = 50
    gradient_steps: int = 3_000
    clone_steps: int = 1_000
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [64, 64, 64]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 40})
    net_arch: tuple[int, ...] = (64, 64)
    seed: int = 0


def main(settings: Settings) -> float:
    """Train policy and model against each other, and return the mean score in the real environment."""
    envs = gym.make_vec(
        "AdversarialModel-v0",
        num_envs=settings.n_envs,
        dataset=settings.dataset,
        max_episode_steps=settings.horizon,
        ensemble=dict(settings.ensemble),
        fit=dict(settings.fit),
    )
    agent = SAC(
        "MlpPolicy",
        SB3VecEnv(envs),
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": settings.dataset, "real_ratio": 0.5},
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
    BehaviorCloner(agent, transitions, loss="likelihood", seed=settings.seed).train(settings.clone_steps)
    adversary = AdversarialCallback(
        AdversarySettings(adv_weight=settings.adv_weight, horizon=settings.horizon),
        every=settings.adversary_every,
        fit_settings=FitSettings.from_json(settings.fit),  # the same rows stay held out
        verbose=1,
    )
    real = RealEvalCallback(transitions.make_env, every=1_000, verbose=1)
    timesteps = settings.gradient_steps * settings.transitions_per_gradient_step
    agent.learn(timesteps, [adversary, real], log_interval=timesteps)
    envs.close()
    return real.history[-1].result.mean


if __name__ == "__main__":
    main(Settings())
