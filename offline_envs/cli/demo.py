"""`offline-envs demo`: the whole way, from the dataset in the package to a scored policy."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from offline_envs.cli.options import parse_seeds

DATASET = "offline-envs/inverteddoublependulum-replay-v0"

SETTINGS = {
    "dataset": DATASET,
    "gradient_steps": 6_000,
    "horizon": 5,
    "penalty_coef": 1.0,
    "n_envs": 500,
    "eval_every": 1_000,
    "eval_episodes": 5,
    "ensemble": {"hidden": [64, 64, 64]},
    "fit": {"weight_decay": [1e-5], "max_epochs": 40},
    "agent_options": {"policy_kwargs": {"net_arch": [64, 64]}},
}
"""The demo: sized for five minutes on two cores."""

SMOKE = {
    "gradient_steps": 40,
    "eval_every": 20,
    "eval_episodes": 1,
    "final_episodes": 2,
    "ensemble": {"hidden": [16, 16]},
    "fit": {"weight_decay": [1e-5], "max_epochs": 1},
}
"""What changes for a try that only shows that everything works."""


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder to write.", show_default="runs/demo-1, -2, ... whichever is new"),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, run one after the other, e.g. 0,1,2.")] = "0",
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A tiny budget: seconds, and no good policy.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted demo.")] = False,
) -> None:
    """Balance a double pendulum with a policy that never touched one.

    Fits an ensemble to the replay dataset that comes with the package, trains SAC entirely inside the
    penalised model, and scores the policy in the real simulator.
    """
    from rich.console import Console

    from offline_envs.cli.seeds import run_seeds
    from offline_envs.cli.tables import dataset_table
    from offline_envs.data import load_transitions
    from offline_envs.runs import TrainSettings

    Console().print(dataset_table(load_transitions(DATASET)))
    settings = TrainSettings.from_json({**SETTINGS, **(SMOKE if smoke else {})})
    run_seeds(settings, parse_seeds(seeds), folder or _new_folder(), resume=resume)


def _new_folder() -> Path:
    return next(path for n in count(1) if not (path := Path(f"runs/demo-{n}")).exists())
