"""Runs of several seeds, one after the other, and the table of their results."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from offline_envs.cli.options import INTERRUPTED
from offline_envs.cli.tables import dataset_line, result_table
from offline_envs.data import Transitions
from offline_envs.runs import RunFolder, TrainSettings, algorithm, check_possible, model_folder, train


def run_seeds(settings: TrainSettings, seeds: Sequence[int], folder: Path, *, resume: bool) -> None:
    """Train one policy a seed, each in its own folder, and print the results.

    Args:
        settings: The run; its seed is replaced.
        seeds: The seeds.
        folder: Folder of the runs' folders.
        resume: Whether to go on with interrupted runs; those that are complete are read, not run again.

    Raises:
        OfflineEnvsError: See `train`; a folder that cannot be used is refused before the first seed runs.
    """
    runs = [(dataclasses.replace(settings, seed=seed), RunFolder(folder / f"seed-{seed}")) for seed in seeds]
    for run_settings, run in runs:
        run.check(run_settings, resume=resume)
    transitions = check_possible(settings)
    console = Console(soft_wrap=True, highlight=False)
    started = time.monotonic()
    console.print(f"Dataset: {dataset_line(transitions)}", markup=False)
    results = []
    for run_settings, run in runs:
        done = resume and run.result_file.exists()
        console.print(
            f"Seed {run_settings.seed}: " + (f"{run.path} is complete" if done else f"into {run.path}")
        )
        if not done:
            _announce_model(run_settings, transitions, console)
        try:
            results.append(train(run_settings, run.path, resume=resume))
        except KeyboardInterrupt:
            console.print(f"Interrupted. {run.path} is kept; the same command with --resume goes on.")
            raise typer.Exit(INTERRUPTED) from None
    minutes = (time.monotonic() - started) / 60
    Console().print(result_table(results, f"{settings.algorithm.upper()} with {settings.agent.upper()}"))
    console.print(f"{minutes:.1f} minutes. Plots, policies and metrics: {folder}/seed-*/")


def _announce_model(settings: TrainSettings, transitions: Transitions, console: Console) -> None:
    if algorithm(settings.algorithm).env_id is None:
        return
    model = model_folder(settings, transitions)
    how = "given" if settings.model else "found in the cache" if model.exists() else "to be fitted, then kept"
    console.print(f"Model: {how}, {model}", markup=False)
