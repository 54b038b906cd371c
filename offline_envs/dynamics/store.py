"""Fitted models in the user's cache folder: fitted once by one process, and shared within each process."""

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from platformdirs import user_cache_path

from offline_envs.data import Transitions
from offline_envs.dynamics.checkpoint import CARD_FILE, FORMAT_VERSION, read_model, save_model
from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.training import fit, fit_identity
from offline_envs.dynamics.model import DynamicsModel
from offline_envs.dynamics.termination_head import (
    HEAD_VERSION,
    LearnedTermination,
    fit_termination,
    load_termination,
    save_termination,
)
from offline_envs.dynamics.uncertainty.disagreement import DisagreementStats, dataset_disagreement
from offline_envs.errors import CheckpointError
from offline_envs.files import cached, key_of, say, tensor_bytes, write_text
from offline_envs.settings import check_arguments

CACHE_VARIABLE = "OFFLINE_ENVS_CACHE"
"""Environment variable that names the cache folder."""

STATS_VERSION = 1
"""Version of the files of disagreement statistics."""

_loaded: WeakValueDictionary[tuple[str, int, str], DynamicsModel] = WeakValueDictionary()
_loading = threading.Lock()


def cache_folder(cache_dir: Path | str | None = None) -> Path:
    """Return the folder of fitted models.

    Args:
        cache_dir: The folder to use; None means `$OFFLINE_ENVS_CACHE`, or else the user's cache folder.
    """
    chosen = cache_dir or os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_cache_path("offline-envs")


def ensemble_folder(
    transitions: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    fit_settings: FitSettings | None = None,
    cache_dir: Path | str | None = None,
) -> Path:
    """Return the folder in which `fitted_ensemble` keeps the model of these data and settings."""
    identity = fit_identity(transitions, settings or EnsembleSettings(), fit_settings or FitSettings())
    return cache_folder(cache_dir) / "ensembles" / key_of({**identity, "format": FORMAT_VERSION})


@check_arguments
def fitted_ensemble(
    transitions: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    fit_settings: FitSettings | None = None,
    device: torch.device | str = "cpu",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> EnsembleDynamics:
    """Return the ensemble of a dataset: from the cache, or fitted now and cached.

    Two callers in one process get the same object. A second process waits for the first one's fit. An
    interrupted fit resumes where it stopped.

    Args:
        transitions: The dataset.
        settings: Shape of the ensemble; None means MOPO's.
        fit_settings: Settings of the fit; None means MOPO's release.
        device: Device of the fit and of the ensemble.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to show on standard error that a fit runs or is waited for.

    Raises:
        DatasetError: Too few rows for a holdout.
        CheckpointError: The cache holds a damaged model; the message names the folder to delete.
    """
    folder = ensemble_folder(transitions, settings, fit_settings=fit_settings, cache_dir=cache_dir)

    def make(folder: Path) -> None:
        partial = folder.with_suffix(".partial")
        ensemble, report = fit(
            transitions, settings, fit_settings=fit_settings, device=device, progress=progress, folder=partial
        )
        save_model(
            folder,
            ensemble,
            transitions=transitions,
            fit_settings=fit_settings or FitSettings(),
            report=report,
        )
        shutil.rmtree(partial)

    return cached(folder, make=make, load=lambda folder: load_ensemble(folder, device), progress=progress)


@check_arguments
def load_model(folder: Path | str, device: torch.device | str = "cpu") -> DynamicsModel:
    """Load a model once per process: while anyone holds it, all callers get the same object.

    Raises:
        CheckpointError: See `read_model`.
    """
    path = Path(folder).expanduser().resolve()
    card = path / CARD_FILE
    key = (str(path), card.stat().st_mtime_ns if card.is_file() else 0, str(torch.device(device)))
    with _loading:
        model = _loaded.get(key)
        if model is None:
            model = _loaded[key] = read_model(path, device)
    return model


def load_ensemble(folder: Path | str, device: torch.device | str = "cpu") -> EnsembleDynamics:
    """Load an ensemble, shared as by `load_model`.

    Raises:
        CheckpointError: See `read_model`; or the folder holds another kind of model.
    """
    model = load_model(folder, device)
    if not isinstance(model, EnsembleDynamics):
        raise CheckpointError(f"{folder} must hold an ensemble, got a {type(model).__name__}.")
    return model


def fitted_termination(
    transitions: Transitions,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> LearnedTermination:
    """Return the termination head of a dataset: from the cache, or trained now and cached.

    Args:
        transitions: The dataset.
        seed: Seed of weights, split and batches.
        device: Device of the training and of the head.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to say on standard error that a head is trained or waited for.

    Raises:
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
    """
    key = key_of({"dataset": transitions.fingerprint, "seed": seed, "version": HEAD_VERSION})

    def make(path: Path) -> None:
        say(f"Training a termination head on {len(transitions)} transitions …", shown=progress)
        save_termination(path, fit_termination(transitions, seed=seed, device=device))

    path = cache_folder(cache_dir) / "terminations" / f"{key}.safetensors"
    return cached(path, make=make, load=lambda path: load_termination(path, device), progress=progress)


def disagreement_stats(
    model: DynamicsModel,
    transitions: Transitions,
    *,
    members: str = "all",
    units: str = "std",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> DisagreementStats:
    """Return statistics of disagreement on a dataset: from the cache, or computed now and cached.

    The cache identifies the model by its current weights.

    Args:
        model: The model.
        transitions: The dataset.
        members: Members that are compared, `"all"` or `"elites"`.
        units: `"std"` or `"raw"`, see `obs_scale`.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to say on standard error that members are compared or another process is waited for.

    Raises:
        SettingsError: An unknown name, a single member, or predictions that are not finite.
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
    """
    identity = {
        "weights": hashlib.sha256(tensor_bytes(model.state_dict())).hexdigest(),
        "model": model.card(),
        "dataset": transitions.fingerprint,
        "members": members,
        "units": units,
        "version": STATS_VERSION,
    }

    def make(path: Path) -> None:
        say(f"Comparing members on {len(transitions)} transitions …", shown=progress)
        found = dataset_disagreement(model, transitions, members=members, units=units)
        write_text(path, json.dumps(DisagreementStats.of(found).to_json()))

    path = cache_folder(cache_dir) / "disagreements" / f"{key_of(identity)}.json"
    return cached(path, make=make, load=_read_stats, progress=progress)


def _read_stats(path: Path) -> DisagreementStats:
    try:
        return DisagreementStats.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged ({error}).") from error
