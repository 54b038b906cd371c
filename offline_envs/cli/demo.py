"""`offline-envs demo`: from the dataset in the package to a scored policy, in one command."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from offline_envs.cli.terminal.options import parse_seeds
from offline_envs.errors import SettingsError


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder to write.", show_default="the first new one of runs/demo-1, -2, ..."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, run one after another, e.g. 0,1,2.")] = "0",
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A tiny budget: takes seconds, trains no good policy.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted demo.")] = False,
) -> None:
    """Balance a double pendulum with a policy that never touched one.

    Fits an ensemble to the replay dataset that comes with the package, trains SAC entirely inside the
    penalised model, and scores the policy in the real simulator.
    """
    from rich.console import Console

    from offline_envs.cli.terminal.seeds import run_and_print
    from offline_envs.cli.terminal.tables import dataset_table
    from offline_envs.data import load_transitions
    from offline_envs.runs import DEMO, DEMO_SMOKE, TrainSettings

    settings = TrainSettings.from_json({**DEMO, **(DEMO_SMOKE if smoke else {})})
    numbers = parse_seeds(seeds)
    folder = folder or _default_folder(resume=resume)
    Console().print(dataset_table(load_transitions(settings.dataset)))
    run_and_print(settings, numbers, folder, resume=resume)


def _default_folder(*, resume: bool) -> Path:
    """Return the first folder that does not exist or, to resume, the last one that does."""
    new = next(n for n in count(1) if not _numbered(n).exists())
    if not resume:
        return _numbered(new)
    if new == 1:
        raise SettingsError(f"There is no demo to resume: {_numbered(1)} does not exist. Leave out --resume.")
    return _numbered(new - 1)


def _numbered(n: int) -> Path:
    return Path(f"runs/demo-{n}")
