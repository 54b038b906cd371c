"""`run_seeds`: one run for each of several seeds, and mean and spread over the seeds."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms import algorithm
from offline_envs.runs.evaluations.on_evaluation import OnEvaluation, check_callbacks, tell
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.progress import STOPPING, RunsProgress
from offline_envs.runs.results import MetricsRow, TrainResult
from offline_envs.runs.seed_processes import Job, train_at_once
from offline_envs.runs.settings import TrainSettings
from offline_envs.runs.together.runs import Planned, check_together, train_together
from offline_envs.runs.training import check_possible, train
from offline_envs.settings import check_arguments


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Attributes:
        mean: Its mean.
        std: Its standard deviation over these seeds (divided by their number).
    """

    mean: float
    std: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Compute mean and standard deviation of values, at least one."""
        return cls(float(np.mean(values)), float(np.std(values)))


@dataclass(frozen=True)
class SeedResults:
    """Results of the same run with several seeds.

    Attributes:
        results: One for each seed, in their order.
    """

    results: tuple[TrainResult, ...]

    @property
    def real_return(self) -> Spread:
        """Mean real return of the last policy."""
        return Spread.of([result.real_return for result in self.results])

    @property
    def normalized_score(self) -> Spread | None:
        """D4RL's score of that mean; None where no seed has one."""
        scores = [r.normalized_score for r in self.results if r.normalized_score is not None]
        return Spread.of(scores) if scores else None


@dataclass(frozen=True)
class SeedRun:
    """One seed's run as it is about to start.

    Attributes:
        settings: Its settings.
        folder: Its folder.
        transitions: The dataset of all seeds.
        complete: Whether it is complete, so that its result is only read.
    """

    settings: TrainSettings
    folder: RunFolder
    transitions: Transitions
    complete: bool


@check_arguments
def run_seeds(
    settings: TrainSettings,
    seeds: Sequence[int],
    folder: Path | str,
    *,
    processes: int = 1,
    together: bool = False,
    resume: bool = False,
    show_progress: bool = True,
    on_start: Callable[[SeedRun], None] | None = None,
    callbacks: Sequence[OnEvaluation] = (),
    prepare: Callable[[], None] | None = None,
) -> SeedResults:
    """Train one policy a seed, each in a folder `seed-<n>` of its own.

    Args:
        settings: The run; its seed is replaced.
        seeds: The seeds, at least one, each once.
        folder: Folder of the runs' folders.
        processes: Seeds that run at once; 1 runs one after another in this process. Otherwise each runs in a
            process of its own with its share of the threads, and ends as it would here with as many threads.
        together: Whether all learn at the same time in this process, for a GPU; see `run_together`.
        resume: Whether to resume interrupted runs; those that are complete are read, not run again.
        show_progress: Whether to show progress on standard error.
        on_start: Called before each seed, e.g. to print what happens.
        callbacks: See `train`; the folder that they are given tells the seed. With several processes they are
            called in this one while the run continues, and what one raises stops every run.
        prepare: Called first in each process that trains a seed, with `processes`, or that evaluates, with
            `evaluate_beside`, e.g. to register an algorithm; a function of a module.

    Raises:
        OfflineEnvsError: See `train`; a folder that cannot be used is refused before the first seed runs. A
            process that died, e.g. for want of memory.
        KeyboardInterrupt: Interrupted; the folders can be resumed.
    """
    check_callbacks(callbacks)
    runs = _planned(settings, seeds, Path(folder), processes, together, resume)
    tell_start = on_start or _ignore
    options: dict[str, Any] = {"resume": resume, "show_progress": show_progress, "callbacks": callbacks}
    options |= {"prepare": prepare}
    if processes > 1:
        _run_at_once(runs, processes, resume, show_progress, tell_start, callbacks, prepare)
    elif together:
        for run in runs:
            tell_start(run)
        train_together([Planned(run.settings, run.folder, run.transitions) for run in runs], **options)
    else:
        for run in runs:
            tell_start(run)
            train(run.settings, run.folder.path, transitions=run.transitions, **options)
    return SeedResults(tuple(run.folder.result() for run in runs))


def _planned(
    settings: TrainSettings, seeds: Sequence[int], folder: Path, processes: int, together: bool, resume: bool
) -> list[SeedRun]:
    """The runs, refused before the first one starts if one cannot be carried out so."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise SettingsError(f"seeds must be distinct, and at least one, got {list(seeds)}.")
    if processes < 1:
        raise SettingsError(f"processes must be at least 1, got {processes}.")
    if processes > 1 and settings.evaluate_beside:
        raise SettingsError(
            "evaluate_beside starts a process, which the processes of several seeds may not. Leave one out."
        )
    if together and processes > 1:
        raise SettingsError(f"together=True needs processes=1, as it is in one process, got {processes}.")
    runs = [(dataclasses.replace(settings, seed=seed), RunFolder(folder / f"seed-{seed}")) for seed in seeds]
    if together:
        check_together([run for run, _ in runs])
    for run_settings, run_folder in runs:
        run_folder.check(run_settings, resume=resume)
    transitions = check_possible(settings)
    return [
        SeedRun(run_settings, run_folder, transitions, resume and run_folder.result_file.exists())
        for run_settings, run_folder in runs
    ]


def _ignore(run: SeedRun) -> None:
    """Say nothing of a seed that starts."""


def _run_at_once(
    runs: Sequence[SeedRun],
    processes: int,
    resume: bool,
    show_progress: bool,
    on_start: Callable[[SeedRun], None],
    callbacks: Sequence[OnEvaluation],
    prepare: Callable[[], None] | None,
) -> None:
    """Train those that are not complete, in processes."""
    by_seed = {run.settings.seed: run for run in runs}
    for run in runs:
        if run.complete:
            on_start(run)
    settings = runs[0].settings
    total = algorithm(settings.algorithm).gradient_steps(settings)
    with RunsProgress(total, shown=show_progress) as progress:

        def starts(job: Job) -> None:
            on_start(by_seed[job.settings.seed])
            progress.started(f"Seed {job.settings.seed}")

        def evaluated(job: Job, row: Mapping[str, Any]) -> None:
            progress.evaluated(f"Seed {job.settings.seed}", row)
            tell(callbacks, MetricsRow(**row), job.folder.path)

        train_at_once(
            [Job(run.settings, run.folder, resume) for run in runs if not run.complete],
            processes,
            prepare=prepare,
            on_start=starts,
            on_evaluation=evaluated,
            on_stop=lambda: progress.note(STOPPING),
        )
