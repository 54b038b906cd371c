"""`mean_uncertainty`: the mean of a measure over a dataset, the unit of λ with `penalty_scale="data"`."""

from pathlib import Path

import numpy as np

from offline_envs.data import Transitions
from offline_envs.dynamics.model import DynamicsModel, check_members, has_saved_form
from offline_envs.dynamics.store import MEANS, cache_folder, cached_result, model_identity, read_result
from offline_envs.dynamics.uncertainty import measures
from offline_envs.dynamics.uncertainty.measures import MEASURES, Measure
from offline_envs.dynamics.uncertainty.over_data import check_finite, over_dataset
from offline_envs.errors import SettingsError
from offline_envs.files import key_of, say, write_json

MEAN_VERSION = 1
"""Version of the files of means."""


def mean_uncertainty(
    model: DynamicsModel,
    transitions: Transitions,
    penalty: str,
    *,
    members: str = "all",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> float:
    """Return the mean of a measure over a dataset's pairs of obs and action.

    It is cached for the model's current weights, unless the model has no saved form or the measure is a
    user's own, whose code may change under its name.

    Args:
        model: The model.
        transitions: The dataset.
        penalty: Name of the measure, see `MEASURES`.
        members: Members that are measured, `"all"` or `"elites"`.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to say on standard error that it is computed or another process is waited for.

    Raises:
        SettingsError: An unknown name, predictions that are not finite, or a measure that is 0 everywhere.
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
    """
    measure = MEASURES.find(penalty)
    check_members("members", members)

    def compute() -> float:
        say(f"Measuring {penalty} on {len(transitions)} transitions …", shown=progress)
        return _mean(model, transitions, measure, members, name=penalty)

    if measure.function.__module__ != measures.__name__ or not has_saved_form(model):
        return compute()
    identity = {
        **model_identity(model),
        "dataset": transitions.fingerprint,
        "measure": penalty,
        "members": members,
        "version": MEAN_VERSION,
    }

    def make(path: Path) -> None:
        mean = compute()
        write_json(path, {"about": {**identity, "source": transitions.source}, "mean": mean})

    def load(path: Path) -> float:
        return read_result(path, identity, lambda values: float(values["mean"]))

    path = cache_folder(cache_dir) / MEANS / f"{key_of(identity)}.json"
    return cached_result(path, make=make, load=load, progress=progress)


def _mean(
    model: DynamicsModel, transitions: Transitions, measure: Measure, members: str, *, name: str
) -> float:
    index = None if members == "all" else model.elites
    values = over_dataset(model, transitions, index, measure).astype(np.float64)
    check_finite(values)
    mean = float(values.mean())
    if mean <= 0:
        raise SettingsError(
            f"The mean of {name} over the dataset must be above 0 to be a unit of λ, got {mean:g}: these "
            "members are certain everywhere. Use another penalty=, or penalty_scale='raw'."
        )
    return mean
