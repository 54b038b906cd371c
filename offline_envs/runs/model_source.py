"""Where the model of a run comes from, and the copy of it in the run's folder."""

import shutil
from pathlib import Path

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder
from offline_envs.runs.settings import TrainSettings


def model_folder(settings: TrainSettings, transitions: Transitions) -> Path:
    """The folder that a run takes its model from: the one it is given, or else its place in the cache.

    Args:
        settings: The run.
        transitions: Its dataset.
    """
    if settings.model is not None:
        return Path(settings.model).expanduser()
    ensemble, fit = (
        EnsembleSettings.from_json(settings.ensemble),
        FitSettings.from_json(settings.fit_options()),
    )
    return ensemble_folder(transitions, ensemble, fit_settings=fit)


def keep_model(settings: TrainSettings, transitions: Transitions, target: Path) -> None:
    """Copy the model into a run's folder, so that the folder explains itself.

    Args:
        settings: The run.
        transitions: Its dataset.
        target: Folder to make; left alone if it exists.
    """
    if target.exists():
        return
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(model_folder(settings, transitions), part)
    part.rename(target)
