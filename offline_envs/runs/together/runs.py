"""`run_together`: several runs whose agents learn at the same time on one device."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.runs.agent import run_agent_class
from offline_envs.runs.algorithms import ModelBased, algorithm
from offline_envs.runs.evaluations.on_evaluation import OnEvaluation, check_callbacks
from offline_envs.runs.folder import RunFolder
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
    prepare: Callable[[], None] | None = None,
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
        prepare: See `train`.

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
    places = [RunFolder(folder) for folder in folders]
    if len(settings) != len(folders):
        raise SettingsError(
            f"There must be a folder for each run, got {len(settings)} settings and {len(folders)} folders."
        )
    if len({place.path.absolute() for place in places}) < len(places):
        raise SettingsError("Each run must have a folder of its own, got one twice.")
    check_together(settings)
    for run, place in zip(settings, places, strict=True):
        place.check(run, resume=resume)
    planned = [Planned(run, place, check_possible(run)) for run, place in zip(settings, places, strict=True)]
    options: dict[str, Any] = {"resume": resume, "show_progress": show_progress, "callbacks": callbacks}
    return train_together(planned, prepare=prepare, **options)


def check_together(settings: Sequence[TrainSettings]) -> None:
    """Refuse runs that cannot learn together.

    Raises:
        SettingsError: See `run_together`.
    """
    devices = sorted({run.device for run in settings})
    if len(devices) != 1:
        raise SettingsError(
            f"Runs that learn together must be on one device, got {', '.join(devices) or 'no runs'}."
        )
    for run in settings:
        chosen = algorithm(run.algorithm)
        if not isinstance(chosen, ModelBased) or type(chosen).train is not ModelBased.train:
            raise SettingsError(
                "Runs that learn together need an algorithm that trains an agent in a model, such as mopo, "
                f"got {run.algorithm}. Or train in processes (--processes)."
            )
        check_joinable(run_agent_class(run))


class Planned(NamedTuple):
    """A run before it starts, checked."""

    settings: TrainSettings
    folder: RunFolder
    transitions: Transitions


def train_together(
    runs: Sequence[Planned],
    *,
    resume: bool,
    show_progress: bool,
    callbacks: Sequence[OnEvaluation],
    prepare: Callable[[], None] | None,
) -> tuple[TrainResult, ...]:
    """Train runs that were checked; see `run_together`."""
    left = []
    for run in runs:
        if resume and run.folder.result_file.exists():
            run.folder.clear_if_free()
        else:
            left.append(run)
    if left:
        total = max(algorithm(run.settings.algorithm).gradient_steps(run.settings) for run in left)
        with RunsProgress(total, shown=show_progress) as progress:
            _train(left, callbacks, progress, resume=resume, prepare=prepare)
    return tuple(run.folder.result() for run in runs)


@dataclass
class _Failures:
    """What ended runs, and the request by which they stop."""

    stop: StopRequest = field(default_factory=StopRequest)
    errors: list[Exception] = field(default_factory=list)
    interrupted: bool = False

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
            self.interrupted = True
        except Exception as error:
            error.add_note(f"This ended the run in {folder.path}.")
            self.errors.append(error)
            self.stop.made = True

    def check(self) -> None:
        """Raise the first error, or that runs were stopped."""
        if self.errors:
            raise self.errors[0]
        if self.interrupted:
            raise KeyboardInterrupt


def _train(
    runs: Sequence[Planned], callbacks: Sequence[OnEvaluation], progress: RunsProgress, **options: Any
) -> None:
    device, failures = torch.device(runs[0].settings.device), _Failures()
    members = []
    for run in runs:
        name = run.folder.path.name
        progress.started(name)
        told: list[OnEvaluation] = [partial(_show, progress, name), *callbacks]
        training = _training(run, failures, callbacks=told, **options)
        members.append(Member(training, RandomStreams(device)))
    with Group(device, members) as group:
        group.start()  # until here an interrupt stops at once, so that nobody waits for a fit
        with stop_request(lambda: progress.note(STOPPING), failures.stop):
            group.run()
    failures.check()


def _show(progress: RunsProgress, name: str, row: Mapping[str, Any], folder: Path) -> None:
    del folder  # that of the name
    progress.evaluated(name, row)


def _training(run: Planned, failures: _Failures, **options: Any) -> Coroutine:
    """What `train` does, as a coroutine."""
    settings, folder, transitions = run
    with failures.noted(folder):
        if failures.stop.made:  # another run failed before this one started
            raise KeyboardInterrupt
        with claimed_run(settings, folder, transitions, show_progress=False, **options) as claimed:
            chosen = algorithm(settings.algorithm)
            if claimed is None or not isinstance(chosen, ModelBased):  # complete, or refused before
                return
            with chosen.opened(claimed, failures.stop) as learning:
                if not learning.is_complete:
                    assert isinstance(learning.agent, FastSAC)
                    yield from cycles(learning.agent, learning.timesteps, learning.callbacks)
                    learning.finish()
                learning.score()
