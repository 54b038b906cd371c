"""Online MBPO (Dyna; Janner et al. 2019): collect with the agent, fit, train it in the model, repeat.

The ensemble is fitted from the weights of the last fit to all real steps so far; the agent then trains on
short imagined episodes that begin in them. The curve is written beside those of the other loops.

    python examples/mbpo_online.py [--seed 0] [--smoke]
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3 import SAC

from offline_envs.collect import GrowingDataset
from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.evaluation import LearningCurve, evaluate_in, plot_curves
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, mopo_schedule

FIT = {"batch_size": 32, "learning_rate": 2e-3, "schedule": "cosine"}  # few rows, so small batches


@dataclass(frozen=True)
class Settings:
    """A small MBPO: 10 gradient steps a real step, on rollouts of 3 steps."""

    env_id: str = "InvertedDoublePendulum-v5"
    uniform_steps: int = 500
    steps_per_round: int = 250
    rounds: int = 18
    gradient_steps: int = 2_500
    n_envs: int = 100
    horizon: int = 3
    transitions_per_gradient_step: int = 30
    real_ratio: float = 0.05
    eval_steps: int = 300
    net_arch: tuple[int, ...] = (64, 64)
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [128, 128, 128]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {**FIT, "max_epochs": 60})
    refit: Mapping[str, Any] = field(default_factory=lambda: {**FIT, "max_epochs": 20})
    folder: Path = Path("runs/loops")
    seed: int = 0


EPOCH = {"max_epochs": 1}
SMOKE: dict[str, Any] = {
    **{"ensemble": {"hidden": [16]}, "fit": EPOCH, "refit": EPOCH, "eval_steps": 5},
    **{"uniform_steps": 60, "steps_per_round": 10, "rounds": 2, "gradient_steps": 5, "n_envs": 10},
}


def mbpo(settings: Settings) -> Iterator[tuple[int, SAC]]:
    """The agent after each round, and the real steps that it took."""
    data = GrowingDataset(gym.make(settings.env_id), seed=settings.seed)
    data.collect_uniformly(settings.uniform_steps)
    model: EnsembleDynamics | None = None
    agent: SAC | None = None
    for number in range(settings.rounds):
        fit_settings = FitSettings.from_json(settings.fit if model is None else settings.refit)
        model, _ = fit(
            data.transitions,
            EnsembleSettings.from_json(settings.ensemble),
            fit_settings=replace(fit_settings, seed=settings.seed + number),
            initial=model,
            progress=False,
        )
        agent = agent_in(model, data.transitions, agent, settings)
        steps = settings.gradient_steps * settings.transitions_per_gradient_step
        agent.learn(steps, reset_num_timesteps=False)
        yield len(data), agent
        data.collect(agent, settings.steps_per_round)


def agent_in(model: EnsembleDynamics, data: Transitions, agent: SAC | None, settings: Settings) -> SAC:
    """The agent of the last round, or a new one, in the new model; old rollouts are dropped."""
    ratio = settings.transitions_per_gradient_step
    size = settings.gradient_steps * ratio
    options: dict[str, Any] = {"dataset": data, "model": model, "max_episode_steps": settings.horizon}
    envs = SB3VecEnv(gym.make_vec("LearnedModel-v0", settings.n_envs, progress=False, **options))
    replay: dict[str, Any] = {"dataset": data, "real_ratio": settings.real_ratio}
    if agent is None:
        schedule = mopo_schedule(settings.n_envs, settings.horizon, transitions_per_gradient_step=ratio)
        schedule["buffer_size"] = size
        policy = {"net_arch": list(settings.net_arch)}
        buffer: dict[str, Any] = {"replay_buffer_class": MixedReplayBuffer, "replay_buffer_kwargs": replay}
        return SAC(
            "MlpPolicy", envs, policy_kwargs=policy, seed=settings.seed, device="cpu", **buffer, **schedule
        )
    agent.set_env(envs)
    spaces = (agent.observation_space, agent.action_space)
    agent.replay_buffer = MixedReplayBuffer(size, *spaces, "cpu", settings.n_envs, **replay)
    return agent


def main(settings: Settings) -> float:
    """Run the loop, and return the last evaluation's mean."""
    curve = LearningCurve(settings.folder / f"mbpo-seed{settings.seed}.csv")
    real = gym.make(settings.env_id, max_episode_steps=settings.eval_steps)
    for steps, agent in mbpo(settings):
        found = evaluate_in(real, agent, n_episodes=5, seed=1000)
        curve.add(steps, found)
        print(f"{steps} real steps: {found.mean:.0f} in {found.mean_length:.0f} steps")
    plot_curves(settings.folder, settings.folder / "curves.png")
    return found.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    main(Settings(**(SMOKE if given.smoke else {}), seed=given.seed))
