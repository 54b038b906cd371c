"""Fitted models in the user's cache folder: fitted once, by one process, shared within each process."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from filelock import FileLock, Timeout
from platformdirs import user_cache_path
from rich.console import Console

from offline_envs.data.transitions import Transitions
from offline_envs.dynamics.checkpoint import CARD_FILE, FORMAT_VERSION, load_ensemble, save_ensemble
from offline_envs.dynamics.disagreement import DisagreementStats, dataset_disagreement
from offline_envs.dynamics.ensemble import EnsembleDynamics
from offline_envs.dynamics.settings import EnsembleSettings, FitSettings
from offline_envs.dynamics.tensor_files import tensor_bytes, write_bytes
from offline_envs.dynamics.termination_head import (
    HEAD_VERSION,
    LearnedTermination,
    fit_termination,
    load_termination,
    save_termination,
)
from offline_envs.dynamics.training import fit, fit_identity
from offline_envs.errors import CheckpointError

CACHE_VARIABLE = "OFFLINE_ENVS_CACHE"
"""Environment variable that names the cache folder."""

STATS_VERSION = 1
"""Version of the files of disagreement statistics."""

_loaded: WeakValueDictionary[tuple[str, int, str], EnsembleDynamics] = WeakValueDictionary()
_loading = threading.Lock()


def cache_folder(cache_dir: Path | str | None = None) -> Path:
    """The folder that fitted models are kept in.

    Args:
        cache_dir: A choice of one's own; None means `$OFFLINE_ENVS_CACHE`, or else the user's cache folder.
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
    """The folder that `fitted_ensemble` keeps the model of these data and settings in."""
    identity = fit_identity(transitions, settings or EnsembleSettings(), fit_settings or FitSettings())
    return cache_folder(cache_dir) / "ensembles" / _key({**identity, "format": FORMAT_VERSION})


def fitted_ensemble(
    transitions: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    fit_settings: FitSettings | None = None,
    device: torch.device | str = "cpu",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> EnsembleDynamics:
    """The ensemble of a dataset: from the cache, or fitted now and cached.

    Two callers in one process get the same object. A second process waits for the first one's fit. An
    interrupted fit goes on where it stopped.

    Args:
        transitions: The dataset.
        settings: Shape of the ensemble; None means MOPO's.
        fit_settings: How it is fitted; None means as in MOPO's release.
        device: Where it is fitted and where it stays.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to show on standard error that a fit runs or is waited for.

    Raises:
        DatasetError: Too few rows for a holdout.
        CheckpointError: The cache holds a damaged model; the message names the folder to delete.
    """
    folder = ensemble_folder(transitions, settings, fit_settings=fit_settings, cache_dir=cache_dir)
    if not folder.exists():
        with _only_process(folder, progress=progress):
            if not folder.exists():
                partial = folder.with_suffix(".partial")
                ensemble, report = fit(
                    transitions,
                    settings,
                    fit_settings=fit_settings,
                    device=device,
                    progress=progress,
                    folder=partial,
                )
                save_ensemble(
                    folder,
                    ensemble,
                    transitions=transitions,
                    fit_settings=fit_settings or FitSettings(),
                    report=report,
                )
                shutil.rmtree(partial)
    try:
        return load_model(folder, device)
    except CheckpointError as error:
        raise CheckpointError(f"{error} Delete the folder {folder} to fit the model anew.") from error


def load_model(folder: Path | str, device: torch.device | str = "cpu") -> EnsembleDynamics:
    """A saved ensemble, read once a process: while someone holds it, everyone gets the same object.

    Raises:
        CheckpointError: See `load_ensemble`.
    """
    path = Path(folder).expanduser().resolve()
    card = path / CARD_FILE
    key = (str(path), card.stat().st_mtime_ns if card.is_file() else 0, str(torch.device(device)))
    with _loading:
        ensemble = _loaded.get(key)
        if ensemble is None:
            ensemble = _loaded[key] = load_ensemble(path, device)
    return ensemble


def fitted_termination(
    transitions: Transitions,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> LearnedTermination:
    """The termination head of a dataset: from the cache, or trained now and cached.

    Args:
        transitions: The dataset.
        seed: Seed of weights, split and batches.
        device: Where it is trained and where it stays.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to say on standard error that a head is trained or waited for.

    Raises:
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
    """
    key = _key({"dataset": transitions.fingerprint, "seed": seed, "version": HEAD_VERSION})
    path = cache_folder(cache_dir) / "terminations" / f"{key}.safetensors"
    if not path.exists():
        with _only_process(path, progress=progress):
            if not path.exists():
                _say(f"Training a termination head on {len(transitions)} transitions …", shown=progress)
                save_termination(path, fit_termination(transitions, seed=seed, device=device))
    try:
        return load_termination(path, device)
    except CheckpointError as error:
        raise CheckpointError(f"{error} Delete the file {path} to train the head anew.") from error


def disagreement_stats(
    ensemble: EnsembleDynamics,
    transitions: Transitions,
    *,
    members: str = "all",
    units: str = "std",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> DisagreementStats:
    """How far the members are apart on a dataset: from the cache, or computed now and cached.

    The cache knows the model by its weights as they are now.

    Args:
        ensemble: The ensemble.
        transitions: The dataset.
        members: Who is compared, `"all"` or `"elites"`.
        units: `"std"` or `"raw"`, see `obs_scale`.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to say on standard error that members are compared or another process is waited for.

    Raises:
        SettingsError: An unknown name, a single member, or predictions that are not finite.
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
    """
    identity = {
        "weights": hashlib.sha256(tensor_bytes(ensemble.state_dict())).hexdigest(),
        "settings": ensemble.settings.to_json(),
        "dataset": transitions.fingerprint,
        "members": members,
        "units": units,
        "version": STATS_VERSION,
    }
    path = cache_folder(cache_dir) / "disagreements" / f"{_key(identity)}.json"
    if not path.exists():
        with _only_process(path, progress=progress):
            if not path.exists():
                _say(f"Comparing members on {len(transitions)} transitions …", shown=progress)
                found = dataset_disagreement(ensemble, transitions, members=members, units=units)
                write_bytes(path, json.dumps(DisagreementStats.of(found).to_json()).encode())
    try:
        return DisagreementStats.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Delete it to compute it anew.") from error


def _key(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def _say(text: str, *, shown: bool) -> None:
    if shown:
        Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _only_process(path: Path, *, progress: bool) -> Iterator[None]:
    """Hold the lock beside `path`; say so when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say(f"Waiting for another process that makes {path} …", shown=progress)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
