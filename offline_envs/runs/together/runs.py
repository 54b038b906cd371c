"""`run_together`: several runs whose agents learn at the same time on one device."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.runs.agent import run_agent_class
from offline_envs.runs.algorithms import ModelBased, algorithm
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.on_evaluation import OnEvaluation, check_callbacks
from offline_envs.runs.progress import STOPPING, RunsProgress
from offline_envs.runs.results import TrainResult
from offline_envs.runs.resuming.stopping import StopRequest, stop_request
from offline_envs.runs.settings import TrainSettings
from offline_envs.runs.training import check_possible, claimed_run
from offline_envs.sb3 import FastSAC
from offline_envs.sb3.together import Coroutine, Group, Member, RandomStreams, check_joinable, cycles
from offline_envs.settings import check_arguments


@check_arguments
def run_together(
    settings: Sequence[TrainSettings],
    folders: Sequence[Path | str],
    *,
    resume: bool = False,
    show_progress: bool = True,
    callbacks: Sequence[OnEvaluation] = (),
) -> tuple[TrainResult, ...]:
    """Train several policies at the same time in this process, each as `train` would alone.

    Each has its own agent, imagined episodes, replay buffer, random numbers and folder, so they may differ in
    any setting but the device: in seeds, λ, real_ratio, learning rates, even in the dataset. What several
    agents wait for on a CUDA device is captured as one graph with a branch for each, which fills a GPU that
    one agent leaves mostly idle; it is best used by runs of equal cycles, whose agents wait for the same at
    the same time. On a CPU nothing is gained: use `processes` of `run_seeds` there.

    On a CPU each run ends bit for bit as it would alone, also if it is interrupted and resumed alone or with
    others; on a GPU, up to rounding. A run that is complete leaves the others alone.

    Args:
        settings: The runs.
        folders: A folder for each.
        resume: Whether to resume interrupted runs; those that are complete are read, not run again.
        show_progress: Whether to show progress on standard error.
        callbacks: See `train`; the folder that they are given tells the run.

    Returns:
        A result for each.

    Raises:
        SettingsError: Another number of folders than of runs, the same folder twice, several devices, or an
            agent whose gradient step is not that of `FastSAC` or of a subclass with another `_make_step`.
        Exception: See `train`. The first error of a run; the other runs stop at the end of their cycle and,
            like this one, can be resumed.
        KeyboardInterrupt: Stopped; all runs can be resumed.
    """
    check_callbacks(callbacks)
    runs = _checked(settings, [RunFolder(folder) for folder in folders], resume)
    left = [run for run in runs if not (resume and run.folder.result_file.exists())]
    for run in runs:
        if run not in left:
            run.folder.clear_if_free()
    if left:
        total = max(run.settings.gradient_steps for run in left)
        with RunsProgress(total, shown=show_progress) as progress:
            _train(left, resume, callbacks, progress)
    return tuple(run.folder.result() for run in runs)


@dataclass(frozen=True, eq=False)
class _Planned:
    """One of the runs before it starts."""

    settings: TrainSettings
    folder: RunFolder
    transitions: Transitions


@dataclass
class _Failures:
    """What ended runs, and the request by which they stop."""

    stop: StopRequest = field(default_factory=StopRequest)
    errors: list[Exception] = field(default_factory=list)

    @contextmanager
    def noted(self, folder: RunFolder) -> Iterator[None]:
        """Note what ends a run, and let the others stop where they can be resumed.

        Raises:
            KeyboardInterrupt: Asked to stop at once.
        """
        try:
            yield
        except KeyboardInterrupt:
            if self.stop.at_once or not self.stop.made:
                raise
        except Exception as error:
            error.add_note(f"This ended the run in {folder.path}.")
            self.errors.append(error)
            self.stop.made = True

    def check(self) -> None:
        """Raise the first error, or the request to stop."""
        if self.errors:
            raise self.errors[0]
        if self.stop.made:
            raise KeyboardInterrupt


def _checked(settings: Sequence[TrainSettings], folders: Sequence[RunFolder], resume: bool) -> list[_Planned]:
    """Refuse runs that cannot learn together, before anything is computed or written."""
    if len(settings) != len(folders) or not settings:
        raise SettingsError(
            f"There must be a folder for each run, and a run at least, got {len(settings)} settings and "
            f"{len(folders)} folders."
        )
    if len({folder.path.absolute() for folder in folders}) < len(folders):
        raise SettingsError("Each run must have a folder of its own, got one twice.")
    devices = sorted({run.device for run in settings})
    if len(devices) > 1:
        raise SettingsError(f"Runs that learn together must be on one device, got {', '.join(devices)}.")
    for run, folder in zip(settings, folders, strict=True):
        _check_joinable(run)
        folder.check(run, resume=resume)
    return [_Planned(run, folder, check_possible(run)) for run, folder in zip(settings, folders, strict=True)]


def _check_joinable(settings: TrainSettings) -> None:
    chosen = algorithm(settings.algorithm)
    if not isinstance(chosen, ModelBased) or type(chosen).train is not ModelBased.train:
        raise SettingsError(
            "Runs that learn together need an algorithm that trains an agent in a model, such as mopo, got "
            f"{settings.algorithm}. Train them in processes (--processes) instead."
        )
    check_joinable(run_agent_class(settings))


def _train(
    runs: Sequence[_Planned], resume: bool, callbacks: Sequence[OnEvaluation], progress: RunsProgress
) -> None:
    device, failures = torch.device(runs[0].settings.device), _Failures()
    members = []
    for run in runs:
        progress.started(run.folder.path.name)
        told = [_shown(run.folder, progress), *callbacks]
        members.append(Member(_training(run, resume, told, failures), RandomStreams(device)))
    with Group(device, members) as group:
        group.start()  # until here an interrupt stops at once, so that nobody waits for a fit
        with stop_request(lambda: progress.note(STOPPING), failures.stop):
            group.run()
    failures.check()


def _shown(folder: RunFolder, progress: RunsProgress) -> OnEvaluation:
    def show(row: Mapping[str, Any], path: Path) -> None:
        del path  # the same
        progress.evaluated(folder.path.name, row)

    return show


def _training(
    run: _Planned, resume: bool, callbacks: Sequence[OnEvaluation], failures: _Failures
) -> Coroutine:
    """What `train` does, as a coroutine."""
    options: dict[str, Any] = {"resume": resume, "show_progress": False, "callbacks": callbacks}
    with failures.noted(run.folder):
        if failures.stop.made:  # another run failed before this one started
            return
        with claimed_run(run.settings, run.folder, run.transitions, **options) as claimed:
            if claimed is None:
                return
            chosen = algorithm(run.settings.algorithm)
            assert isinstance(chosen, ModelBased)
            with chosen.opened(claimed, failures.stop) as learning:
                if learning.timesteps:
                    assert isinstance(learning.agent, FastSAC)
                    yield from cycles(learning.agent, learning.timesteps, learning.callbacks)
                    learning.finish()
                learning.score()
