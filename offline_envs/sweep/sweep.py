"""`run_sweep`: fits the models of a sweep, then trains its runs, in this process or on Ray."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder, fitted_ensemble
from offline_envs.files import copy_folder, key_of, read_json, write_json
from offline_envs.runs import RunFolder, TrainSettings, check_possible, train
from offline_envs.settings import check_arguments
from offline_envs.sweep.config import SweepConfig
from offline_envs.sweep.grid import Cell, cells, fits_model
from offline_envs.sweep.launcher import Launcher, Report
from offline_envs.sweep.ray_launcher import RayLauncher

STOPPED = "stopped.json"
"""File of a sweep with the gradient steps at which runs were stopped early, by name."""


@check_arguments
def run_sweep(config: SweepConfig, folder: Path, *, address: str | None = None) -> list[Cell]:
    """Train every run of a sweep that is not complete yet.

    First each distinct model is fitted, into `folder/models`; runs that differ in other settings share it.
    Complete runs are left alone and interrupted ones resume from their checkpoints, so after any interruption
    the same call resumes the sweep. On a cluster the folder has to be one that all machines share.

    Args:
        config: The sweep.
        folder: Where its runs are written, `folder/<values of the grid>/seed-<seed>`.
        address: Address of a Ray cluster, `"auto"` for the running one; None for this machine.

    Returns:
        The runs.

    Raises:
        SettingsError: See `cells`; Ray is missing; another sweep's folder.
        OfflineEnvsError: See `train`; all settings are checked before anything is computed.
    """
    found = cells(config)
    _check(found, folder)
    launcher = RayLauncher(config.resources, config.stop, config.retries, folder, address)
    return sweep_with(launcher, found, folder)


def sweep_with(launcher: Launcher, found: list[Cell], folder: Path) -> list[Cell]:
    """Fit the models of cells and train them; see `run_sweep`."""
    folder.mkdir(parents=True, exist_ok=True)
    stopped = stopped_runs(folder)
    left = [cell for cell in found if cell.name not in stopped and not _is_complete(cell, folder)]
    models = {_model_folder(cell.settings, folder): cell.settings for cell in left}
    launcher.fit(
        fit_model, [(s, path) for path, s in models.items() if path is not None and not path.exists()]
    )
    tasks = {
        cell.name: (with_model(cell.settings, _model_folder(cell.settings, folder)), folder / cell.name)
        for cell in left
    }
    if tasks:
        steps = max(cell.settings.gradient_steps for cell in left)
        write_json(folder / STOPPED, stopped | launcher.train(train_run, tasks, steps))
    return found


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
    ensemble, fit = (
        EnsembleSettings.from_json(settings.ensemble),
        FitSettings.from_json(settings.fit_options()),
    )
    transitions = settings.transitions()
    fitted_ensemble(transitions, ensemble, fit_settings=fit, device=settings.device, progress=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        copy_folder(ensemble_folder(transitions, ensemble, fit_settings=fit), path)


def train_run(task: tuple[TrainSettings, Path], report: Report) -> None:
    """Train a run, or resume it.

    Args:
        task: Its settings and folder.
        report: What is given each evaluation but the last, after which there is nothing to stop.
    """
    settings, path = task

    def on_evaluation(row: Mapping[str, Any], folder: Path) -> None:
        if row["gradient_steps"] < settings.gradient_steps:
            report(row, folder)

    train(settings, path, resume=path.exists(), show_progress=False, callbacks=[on_evaluation])


def with_model(settings: TrainSettings, model: Path | None) -> TrainSettings:
    """The same run in a model that was fitted to its settings; itself if there is none."""
    return settings if model is None else replace(settings, model=str(model), ensemble={}, fit={})


def _model_folder(settings: TrainSettings, folder: Path) -> Path | None:
    """Where the model of a run lies, by what it is fitted to; None if the run fits none."""
    if not fits_model(settings):
        return None
    names = ("dataset", "env_id", "env_kwargs", "history", "task", "ensemble")
    values = {name: getattr(settings, name) for name in names} | {"fit": settings.fit_options()}
    return folder / "models" / key_of(values)[:12]


def _is_complete(cell: Cell, folder: Path) -> bool:
    return RunFolder(folder / cell.name).result_file.exists()


def _check(found: list[Cell], folder: Path) -> None:
    """Refuse what cannot work before anything is computed or written."""
    checked: dict[Any, None] = {}
    for cell in found:
        settings = cell.settings
        path = _model_folder(settings, folder)
        RunFolder(folder / cell.name).check(with_model(settings, path), resume=True)
        key = key_of({**settings.to_json(), "seed": 0})
        if key not in checked:
            check_possible(settings)
            checked[key] = None
