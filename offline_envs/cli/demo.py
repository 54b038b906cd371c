"""`offline-envs demo`: the whole way, from the dataset in the package to a scored policy."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from offline_envs.cli.options import parse_seeds
from offline_envs.errors import SettingsError

DATASET = "offline-envs/inverteddoublependulum-replay-v0"

SETTINGS = {
    "dataset": DATASET,
    "gradient_steps": 10_000,
    "horizon": 5,
    "penalty_coef": 0.5,
    "n_envs": 250,
    "transitions_per_gradient_step": 50.0,
    "eval_every": 2_500,
    "eval_episodes": 5,
    "ensemble": {"hidden": [128, 128, 128]},
    "fit": {"weight_decay": [1e-5], "improvement": 1e-3, "patience": 15, "max_epochs": 60},
    "agent_options": {"learning_rate": 1e-3, "policy_kwargs": {"net_arch": [64, 64]}},
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

    settings = TrainSettings.from_json({**SETTINGS, **(SMOKE if smoke else {})})
    numbers = parse_seeds(seeds)
    folder = folder or _default_folder(resume=resume)
    Console().print(dataset_table(load_transitions(DATASET)))
    run_seeds(settings, numbers, folder, resume=resume)


def _default_folder(*, resume: bool) -> Path:
    """The first folder that does not exist, or the last one that does, if that is to be resumed."""
    new = next(n for n in count(1) if not _numbered(n).exists())
    if not resume:
        return _numbered(new)
    if new == 1:
        raise SettingsError(f"There is no demo to resume: {_numbered(1)} does not exist. Leave out --resume.")
    return _numbered(new - 1)


def _numbered(n: int) -> Path:
    return Path(f"runs/demo-{n}")
