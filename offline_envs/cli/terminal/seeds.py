"""Train several seeds on the command line: announce each, and print the results in a table."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from rich.console import Console

from offline_envs.cli.terminal.options import INTERRUPTED
from offline_envs.cli.terminal.tables import dataset_line, result_table
from offline_envs.runs import RunFolder, SeedRun, TrainSettings, algorithm, model_folder, run_seeds


def run_and_print(
    settings: TrainSettings,
    seeds: Sequence[int],
    folder: Path,
    *,
    resume: bool,
    processes: int = 1,
    together: bool = False,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Train one policy a seed, each in its own folder, and print the results.

    Args:
        settings: The run; its seed is replaced.
        seeds: The seeds.
        folder: Folder of the runs' folders.
        resume: Whether to resume interrupted runs; those that are complete are read, not run again.
        processes: Seeds that run at once; see `run_seeds`.
        together: Whether all learn at the same time in this process.
        prepare: See `run_seeds`.

    Raises:
        OfflineEnvsError: See `run_seeds`.
        Exit: Interrupted.
    """
    announced = _Announcements(folder if together or processes > 1 else None)
    started = time.monotonic()
    try:
        found = run_seeds(
            settings,
            seeds,
            folder,
            processes=processes,
            together=together,
            resume=resume,
            on_start=announced.print,
            prepare=prepare,
        )
    except KeyboardInterrupt:
        announced.print_interrupted()
        raise typer.Exit(INTERRUPTED) from None
    minutes = (time.monotonic() - started) / 60
    Console().print(result_table(found, _title(settings)))
    announced.console.print(f"{minutes:.1f} minutes. Plots, policies and metrics: {folder}/seed-*/")


def _title(settings: TrainSettings) -> str:
    """The algorithm, and the agent where it has one of Stable-Baselines3."""
    name = settings.algorithm.upper()
    return f"{name} with {settings.agent.upper()}" if "agent" in algorithm(settings.algorithm).uses else name


class _Announcements:
    """Prints the dataset, then each seed and where its model comes from.

    Args:
        parent: Folder of all seeds, if they run at once; None if one after another.
    """

    def __init__(self, parent: Path | None) -> None:
        self.console = Console(soft_wrap=True, highlight=False, markup=False)
        self._parent = parent
        self._running: RunFolder | None = None

    def print(self, run: SeedRun) -> None:
        """Announce a seed; before the first, also the dataset."""
        if self._running is None:
            self.console.print(f"Dataset: {dataset_line(run.transitions)}")
        self._running = run.folder
        path = run.folder.path
        where = f"{path} is complete" if run.complete else f"into {path}"
        self.console.print(f"Seed {run.settings.seed}: {where}")
        if not run.complete and "model" in algorithm(run.settings.algorithm).uses:
            self._print_model(run)

    def print_interrupted(self) -> None:
        """Say how to resume."""
        kept = "" if self._running is None else f" {self._parent or self._running.path} is kept."
        self.console.print(f"Interrupted.{kept} Run the same command with --resume to resume.")

    def _print_model(self, run: SeedRun) -> None:
        model = model_folder(run.settings, run.transitions)
        cached = "found in the cache" if model.exists() else "to be fitted, then kept"
        origin = "given" if run.settings.model else cached
        self.console.print(f"Model: {origin}, {model}")
