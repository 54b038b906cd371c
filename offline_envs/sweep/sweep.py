"""`run_sweep`: fits the models of a sweep, then trains its runs, in this process or on Ray."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder, fitted_ensemble
from offline_envs.files import copy_folder, key_of, read_json, write_json
from offline_envs.runs import RunFolder, TrainSettings, check_possible, train
from offline_envs.settings import check_arguments
from offline_envs.sweep.config import SweepConfig
from offline_envs.sweep.grid import SEED, Cell, cells, fits_model
from offline_envs.sweep.launcher import Launcher, Report
from offline_envs.sweep.ray_launcher import RayLauncher

STOPPED = "stopped.json"
"""File of a sweep with the gradient steps at which runs were stopped early, by name."""


@check_arguments
def run_sweep(
    config: SweepConfig,
    folder: Path,
    *,
    address: str | None = None,
    prepare: Callable[[], None] | None = None,
) -> list[Cell]:
    """Train every run of a sweep that is not complete yet.

    First each distinct model is fitted, into `folder/models`; runs that differ in other settings share it.
    Complete runs are left alone and interrupted ones resume from their checkpoints, so after any interruption
    the same call resumes the sweep. On a cluster the folder has to be one that all machines share.

    Args:
        config: The sweep.
        folder: Where its runs are written, `folder/<values of the grid>/seed-<seed>`.
        address: Address of a Ray cluster, `"auto"` for the running one; None for this machine.
        prepare: Called first in the process of each fit and run, e.g. to register an agent; it has to be
            picklable.

    Returns:
        The runs.

    Raises:
        SettingsError: See `cells`; Ray is missing; another sweep's folder.
        OfflineEnvsError: See `train`; all settings are checked before anything is computed.
    """
    folder = folder.expanduser().absolute()  # trials may work elsewhere
    found = cells(config)
    runs = planned(found, folder)
    launcher = RayLauncher(config.resources, config.stop, config.retries, folder, address, prepare)
    sweep_with(launcher, runs, folder, prepare)
    return found


class Planned(NamedTuple):
    """A run of a sweep whose settings were checked."""

    cell: Cell
    model: Path | None
    """Where its model lies or is to lie, by what it is fitted to; None if it fits none."""


def planned(found: Sequence[Cell], folder: Path) -> list[Planned]:
    """Refuse what cannot work before anything is computed or written, and say where each run's model lies."""
    models: dict[str, Path | None] = {}  # of runs that differ in more than their seed
    runs = []
    for cell in found:
        key = key_of({**cell.settings.to_json(), SEED: 0})
        if key not in models:
            transitions = check_possible(cell.settings)
            cached = _cached_model(cell.settings, transitions) if fits_model(cell.settings) else None
            models[key] = cached and folder / "models" / cached.name
        RunFolder(folder / cell.name).check(with_model(cell.settings, models[key]), resume=True)
        runs.append(Planned(cell, models[key]))
    return runs


def sweep_with(
    launcher: Launcher,
    runs: Sequence[Planned],
    folder: Path,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Fit the models of runs that are not complete, and train them; see `run_sweep`."""
    folder.mkdir(parents=True, exist_ok=True)
    stopped = stopped_runs(folder)
    left = [run for run in runs if run.cell.name not in stopped and not _is_complete(run.cell, folder)]
    missing = {run.model: run.cell.settings for run in left if run.model and not run.model.exists()}
    launcher.fit(fit_model, [(settings, path) for path, settings in missing.items()])
    tasks = {cell.name: (with_model(cell.settings, model), folder / cell.name) for cell, model in left}
    if tasks:
        steps = max(run.cell.settings.gradient_steps for run in left)

        def stop(name: str, step: int) -> None:
            stopped[name] = step
            write_json(folder / STOPPED, stopped)

        launcher.train(partial(train_run, prepare=prepare), tasks, steps, stop)


def stopped_runs(folder: Path) -> dict[str, int]:
    """Gradient steps at which runs of a sweep were stopped early, by their names."""
    path = folder / STOPPED
    return read_json(path) if path.exists() else {}


def fit_model(task: tuple[TrainSettings, Path]) -> None:
    """Fit the ensemble of a run, or take it from the cache, into a folder that appears when it is complete.

    Args:
        task: Settings of the run, and the folder.
    """
    settings, path = task
    transitions = settings.transitions()
    fitted_ensemble(transitions, **_fit_of(settings), device=settings.device, progress=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        copy_folder(_cached_model(settings, transitions), path)


def train_run(
    task: tuple[TrainSettings, Path], report: Report, *, prepare: Callable[[], None] | None = None
) -> None:
    """Train a run, or resume it.

    Args:
        task: Its settings and folder.
        report: What is given each evaluation but the last, after which there is nothing to stop.
        prepare: See `train`.
    """
    settings, path = task

    def on_evaluation(row: Mapping[str, Any], folder: Path) -> None:
        if row["gradient_steps"] < settings.gradient_steps:
            report(row, folder)

    options: dict[str, Any] = {"callbacks": [on_evaluation], "prepare": prepare, "show_progress": False}
    train(settings, path, resume=path.exists(), **options)


def with_model(settings: TrainSettings, model: Path | None) -> TrainSettings:
    """The same run in a model that was fitted to its settings; itself if there is none."""
    return settings if model is None else replace(settings, model=str(model), ensemble={}, fit={})


def _fit_of(settings: TrainSettings) -> dict[str, Any]:
    """What a run's ensemble is fitted with, as `fitted_ensemble` and `ensemble_folder` take it."""
    return {
        "settings": settings.nested("ensemble", EnsembleSettings),
        "fit_settings": FitSettings.from_json(settings.fit_options()),
    }


def _cached_model(settings: TrainSettings, transitions: Transitions) -> Path:
    """Where the cache keeps the model of a run: a name by the content of the data and the fit."""
    return ensemble_folder(transitions, **_fit_of(settings))


def _is_complete(cell: Cell, folder: Path) -> bool:
    return RunFolder(folder / cell.name).result_file.exists()
