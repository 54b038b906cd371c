"""Learn to control the pipe of `heated_pipe.py` from its controller's records, with and without a history.

What the last observation shows is not enough to predict the next, which a diagnosis of the model says.

    python examples/plant_with_delay.py --smoke     # tries everything in a minute
    python examples/plant_with_delay.py --seed 1    # another model and other agents, from the same batch
"""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from heated_pipe import ENV_ID, controlled

from offline_envs.diagnose import DiagnoseSettings, advise, diagnose
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder, read_model_card
from offline_envs.envs import ModelOptions, assemble
from offline_envs.runs import TrainSettings, train

KNOWN = {"1": "kept"}
"""The set-point stays for the length of an imagined episode; what makes it jump is nothing to learn."""

CONTROLLER = "controller"


@dataclass(frozen=True)
class Settings:
    """The batch, the runs and their budgets."""

    folder: Path = Path("runs/plant-with-delay")
    n_episodes: int = 100
    scored_episodes: int = 20
    seed: int = 0
    histories: tuple[int, ...] = (1, 16)
    ensemble: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 24, "schedule": "cosine"})
    diagnosis: Mapping[str, Any] = field(default_factory=dict)
    algorithms: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {
            "bc": {"gradient_steps": 20_000, "eval_every": 5_000},
            "mopo": {
                **{"agent": "fastsac", "gradient_steps": 20_000, "horizon": 10},
                **{"transitions_per_gradient_step": 50.0, "agent_options": {"buffer_size": 500_000}},
            },
        }
    )


SMOKE = Settings(
    folder=Path("runs/plant-with-delay-smoke"),
    n_episodes=6,
    scored_episodes=1,
    histories=(1, 4),
    ensemble={"hidden": [16, 16]},
    fit={"max_epochs": 1},
    diagnosis={"rows": 1000, "rollouts": 10, "starts": 30, "horizon": 5},
    algorithms={
        "bc": {"gradient_steps": 20, "eval_every": 20, "eval_episodes": 1},
        "mopo": {"gradient_steps": 4, "eval_every": 4, "eval_episodes": 1, "n_envs": 10, "horizon": 2},
    },
)


def main(settings: Settings) -> dict[str, float]:
    """Record, diagnose and train; return the mean returns of the controller and of each run's last policy."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    data = settings.folder / "data.npz"
    np.savez(data, **controlled(settings.n_episodes, noise=0.05, seed=0))
    n = settings.scored_episodes
    scores = {CONTROLLER: float(controlled(n, noise=0.0, seed=2_000)["rewards"].sum()) / n}
    for history in settings.histories:
        print_advice(settings, data, history)
        for algorithm, changes in settings.algorithms.items():
            name = f"{algorithm} with history={history}"
            chosen = run_settings(settings, data, history, {"algorithm": algorithm, **changes})
            run = settings.folder / f"seed-{settings.seed}" / name.replace(" ", "-")
            result = train(chosen, run, resume=True)
            scores[name] = result.real_return
    for name, score in scores.items():
        print(f"{name}: {score:.1f}")
    return scores


def print_advice(settings: Settings, data: Path, history: int) -> None:
    """Fit the model, or read it from the cache, and print what a diagnosis says of horizon and state."""
    shape = EnsembleSettings.from_json(settings.ensemble)
    fit = {"seed": settings.seed, **settings.fit}
    options = ModelOptions(
        env_id=ENV_ID, termination="never", known=KNOWN, history=history, ensemble=settings.ensemble, fit=fit
    )
    parts = assemble(str(data), options=options)
    folder = ensemble_folder(parts.transitions, shape, fit_settings=FitSettings.from_json(fit))
    sizes = DiagnoseSettings.from_json(settings.diagnosis)
    for advice in advise(diagnose(parts, card=read_model_card(folder), settings=sizes)):
        if advice.topic in ("horizon", "state"):
            print(f"history={history}, {advice.topic}: {advice.value} ({advice.figures})")


def run_settings(settings: Settings, data: Path, history: int, changes: Mapping[str, Any]) -> TrainSettings:
    """Settings of a run; behaviour cloning has no model."""
    plant = {"dataset": str(data), "env_id": ENV_ID, "history": history, "seed": settings.seed}
    model = {"termination": "never", "ensemble": settings.ensemble, "fit": settings.fit}
    if changes["algorithm"] != "bc":
        plant = {**plant, **model, "env_settings": {"known": KNOWN}}
    return TrainSettings.for_algorithm({**plant, "final_episodes": settings.scored_episodes, **changes})


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(replace(SMOKE if given.smoke else Settings(), seed=given.seed))
