"""Model-based start, model-free finish (MBMF, Nagabandi et al. 2018).

An ensemble is fitted to uniform actions, an agent imitates a planner in it by DAgger, which takes no real
steps, and then continues in the real environment by TRPO, as in the paper. With `--from-scratch` TRPO begins
untrained. The curve is written beside those of the other loops; it begins with the steps of the data.

    python examples/mbmf.py [--seed 0] [--from-scratch] [--smoke]
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
from sb3_contrib import TRPO

from offline_envs.collect import GrowingDataset
from offline_envs.dynamics import EnsembleSettings, FitSettings, fit
from offline_envs.evaluation import LearningCurve, evaluate_in, plot_curves
from offline_envs.planning import plan_in
from offline_envs.sb3 import Imitator

FIT = {"batch_size": 32, "learning_rate": 2e-3, "schedule": "cosine"}  # few rows, so small batches


@dataclass(frozen=True)
class Settings:
    """A small MBMF; the paper has several rounds of data, and TRPO takes 25 000 steps or more an update."""

    env_id: str = "InvertedDoublePendulum-v5"
    planner: str = "icem:horizon=15,candidates=40,particles=5"
    imitate: bool = True
    uniform_steps: int = 3_000
    rounds: int = 4
    rows: int = 50
    horizon: int = 8
    epochs: int = 100
    finish_rounds: int = 20
    steps_per_round: int = 1_024
    eval_steps: int = 300
    net_arch: tuple[int, ...] = (64, 64)
    log_std_init: float = -1.5
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [128, 128, 128]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {**FIT, "max_epochs": 60})
    folder: Path = Path("runs/loops")
    seed: int = 0


SMOKE: dict[str, Any] = {
    **{"ensemble": {"hidden": [16]}, "fit": {"max_epochs": 1}, "uniform_steps": 60, "epochs": 1, "rounds": 2},
    **{"rows": 4, "horizon": 2, "finish_rounds": 1, "steps_per_round": 128, "eval_steps": 5},
    "planner": "icem:horizon=3,candidates=8,elites=2,particles=2,iterations=1",
}


def imitate(agent: TRPO, settings: Settings) -> int:
    """Fit a model to uniform actions, and let the agent imitate a planner in it; returns the real steps."""
    data = GrowingDataset(gym.make(settings.env_id), seed=settings.seed)
    data.collect_uniformly(settings.uniform_steps)
    model, _ = fit(
        data.transitions,
        EnsembleSettings.from_json(settings.ensemble),
        fit_settings=replace(FitSettings.from_json(settings.fit), seed=settings.seed),
        progress=False,
    )
    envs = gym.make_vec("LearnedModel-v0", 1, dataset=data.transitions, model=model, progress=False)
    imitator = Imitator(
        agent,
        plan_in(envs, settings.planner, seed=settings.seed),
        within=envs,
        rows=settings.rows,
        horizon=settings.horizon,
        epochs=settings.epochs,
        seed=settings.seed,
    )
    for number in range(settings.rounds):
        print(f"round {number}: squared distance to the planner {imitator.round():.4f}")
    return len(data)


def main(settings: Settings) -> float:
    """Imitate, finish, and return the last evaluation's mean."""
    name = "mbmf" if settings.imitate else "trpo"
    curve = LearningCurve(settings.folder / f"{name}-seed{settings.seed}.csv")
    real = gym.make(settings.env_id, max_episode_steps=settings.eval_steps)
    agent = TRPO(
        "MlpPolicy",
        settings.env_id,
        n_steps=settings.steps_per_round,
        gamma=0.995,
        target_kl=0.05,
        policy_kwargs={"net_arch": list(settings.net_arch), "log_std_init": settings.log_std_init},
        seed=settings.seed,
        device="cpu",
    )
    spent = imitate(agent, settings) if settings.imitate else 0
    for number in range(settings.finish_rounds + 1):
        if number > 0:
            agent.learn(settings.steps_per_round, reset_num_timesteps=False)
        found = evaluate_in(real, agent, n_episodes=5, seed=1000)
        curve.add(spent + agent.num_timesteps, found)
        print(f"{curve.rows[-1][0]} real steps: {found.mean:.0f} in {found.mean_length:.0f} steps")
    plot_curves(settings.folder, settings.folder / "curves.png")
    return found.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    main(Settings(**(SMOKE if given.smoke else {}), seed=given.seed, imitate=not given.from_scratch))
