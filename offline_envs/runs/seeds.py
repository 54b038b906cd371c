"""`run_seeds`: one run for each of several seeds, and mean and spread over the seeds."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline_envs.data import Transitions
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.on_evaluation import OnEvaluation
from offline_envs.runs.results import TrainResult
from offline_envs.runs.settings import TrainSettings
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
    resume: bool = False,
    show_progress: bool = True,
    on_start: Callable[[SeedRun], None] | None = None,
    callbacks: Sequence[OnEvaluation] = (),
) -> SeedResults:
    """Train one policy a seed, each in a folder `seed-<n>` of its own.

    Args:
        settings: The run; its seed is replaced.
        seeds: The seeds, at least one.
        folder: Folder of the runs' folders.
        resume: Whether to resume interrupted runs; those that are complete are read, not run again.
        show_progress: Whether to show progress on standard error.
        on_start: Called before each seed, e.g. to print what happens.
        callbacks: See `train`; the folder that they are given tells the seed.

    Raises:
        OfflineEnvsError: See `train`; a folder that cannot be used is refused before the first seed runs.
        KeyboardInterrupt: Interrupted; the folders can be resumed.
    """
    parent = Path(folder)
    runs = [(dataclasses.replace(settings, seed=seed), RunFolder(parent / f"seed-{seed}")) for seed in seeds]
    for run_settings, run_folder in runs:
        run_folder.check(run_settings, resume=resume)
    transitions = check_possible(settings)
    results = []
    for run_settings, run_folder in runs:
        if on_start is not None:
            complete = resume and run_folder.result_file.exists()
            on_start(SeedRun(run_settings, run_folder, transitions, complete))
        results.append(
            train(
                run_settings,
                run_folder.path,
                resume=resume,
                show_progress=show_progress,
                transitions=transitions,
                callbacks=callbacks,
            )
        )
    return SeedResults(tuple(results))
