"""Model-based RL by planning, from nothing: collect, fit, plan, append, repeat (PETS, Chua et al. 2018).

Uniform actions come first. Then the ensemble is fitted to all steps so far, from the weights of the last fit,
and a planner acts in the real environment for some more steps. With `replan_every` above 1 its plans are
carried out that many steps without looking; with 1 it plans at every step, as PETS does, which
forgives the model its errors. The curve is written beside those of the other loops.

    python examples/pets_loop.py [--seed 0] [--replan-every 1] [--smoke]
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

from offline_envs.collect import GrowingDataset
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.evaluation import LearningCurve, evaluate_in, plot_curves
from offline_envs.planning import Planner, plan_in

FIT = {"batch_size": 32, "learning_rate": 2e-3, "schedule": "cosine"}  # few rows, so small batches


@dataclass(frozen=True)
class Settings:
    """A small PETS; the paper plans 25 steps ahead with 400 candidates and 20 particles."""

    env_id: str = "InvertedDoublePendulum-v5"
    planner: str = "icem:horizon=15,candidates=40,particles=5"
    replan_every: int = 1
    uniform_steps: int = 500
    steps_per_round: int = 250
    rounds: int = 12
    eval_steps: int = 300
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [128, 128, 128]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {**FIT, "max_epochs": 60})
    refit: Mapping[str, Any] = field(default_factory=lambda: {**FIT, "max_epochs": 20})
    folder: Path = Path("runs/loops")
    seed: int = 0


SMOKE: dict[str, Any] = {
    "planner": "icem:horizon=3,candidates=8,elites=2,particles=2,iterations=1",
    "uniform_steps": 60,
    "steps_per_round": 10,
    "rounds": 1,
    "eval_steps": 5,
    "ensemble": {"hidden": [16]},
    "fit": {"max_epochs": 1},
    "refit": {"max_epochs": 1},
}


class OpenLoop:
    """Carries out each plan for a number of steps before it plans again."""

    def __init__(self, planner: Planner, steps: int) -> None:
        self.planner, self.steps = planner, steps

    def predict(self, observation: Any, state: Any = None, deterministic: bool = True) -> tuple[Any, Any]:
        """Plan, or follow the last plan; the state is the planner's and the number of steps since."""
        memory, since = (None, 0) if state is None else state
        if memory is not None and since < self.steps:
            return memory[0, 0, since].cpu().numpy(), (memory, since + 1)
        if memory is not None:
            for _ in range(self.steps - 1):  # the planner itself shifts by one
                memory = self.planner.shifted(memory)
        action, memory = self.planner.predict(observation, memory, deterministic=deterministic)
        return action, (memory, 1)


def main(settings: Settings) -> float:
    """Run the loop, and return the last evaluation's mean."""
    data = GrowingDataset(gym.make(settings.env_id), seed=settings.seed)
    version = "1.5" if settings.replan_every == 1 else "1.0"
    curve = LearningCurve(settings.folder / f"pets-{version}-seed{settings.seed}.csv")
    # A planner takes its time, so evaluations are shorter than an episode, as in the other loops.
    real = gym.make(settings.env_id, max_episode_steps=settings.eval_steps)
    data.collect_uniformly(settings.uniform_steps)
    model: EnsembleDynamics | None = None
    for number in range(settings.rounds):
        fit_settings = FitSettings.from_json(settings.fit if model is None else settings.refit)
        model, _ = fit(
            data.transitions,
            EnsembleSettings.from_json(settings.ensemble),
            fit_settings=replace(fit_settings, seed=settings.seed + number),
            initial=model,
            progress=False,
        )
        env = gym.make("LearnedModel-v0", dataset=data.transitions, model=model, progress=False)
        planner = plan_in(env, settings.planner, seed=settings.seed + number)
        policy = OpenLoop(planner, settings.replan_every)
        found = evaluate_in(real, policy, n_episodes=2, seed=1000)
        curve.add(len(data), found)
        print(f"{len(data)} real steps: {found.mean:.0f} in {found.mean_length:.0f} steps")
        data.collect(policy, settings.steps_per_round)
    plot_curves(settings.folder, settings.folder / "curves.png")
    return found.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replan-every", type=int, default=1)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    chosen = Settings(**(SMOKE if given.smoke else {}), seed=given.seed, replan_every=given.replan_every)
    main(chosen)
