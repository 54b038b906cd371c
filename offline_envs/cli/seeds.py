"""Runs of several seeds, one after the other, and the table of their results."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from offline_envs.cli.tables import result_table
from offline_envs.runs import RunFolder, TrainSettings, train

INTERRUPTED = 130  # the shell's exit status of a process that Ctrl-C ended


def run_seeds(settings: TrainSettings, seeds: Sequence[int], folder: Path, *, resume: bool) -> None:
    """Train one policy a seed, each in its own folder, and print the results.

    Args:
        settings: The run; its seed is replaced.
        seeds: The seeds.
        folder: Folder of the runs' folders.
        resume: Whether to go on with interrupted runs; those that are complete are read, not run again.
    """
    console = Console()
    started = time.monotonic()
    results = []
    for seed in seeds:
        run = RunFolder(folder / f"seed-{seed}")
        if resume and run.result_file.exists():
            console.print(f"{run.path} is complete.")
            results.append(run.result())
            continue
        console.print(f"Seed {seed}: writing {run.path}")
        try:
            results.append(train(dataclasses.replace(settings, seed=seed), run.path, resume=resume))
        except KeyboardInterrupt:
            console.print(f"Interrupted. Go on with the same command and --resume; {run.path} is kept.")
            raise typer.Exit(INTERRUPTED) from None
    minutes = (time.monotonic() - started) / 60
    console.print(result_table(results, f"{settings.algorithm.upper()} with {settings.agent.upper()}"))
    console.print(f"{minutes:.1f} minutes. Plots, policies and metrics: {folder}/seed-*/", soft_wrap=True)
