"""Fitted models in the user's cache folder: fitted once by one process, and shared within each process."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import torch
from platformdirs import user_cache_path

from offline_envs.data import Transitions
from offline_envs.dynamics.checkpoint import (
    CARD_FILE,
    FORMAT_VERSION,
    read_model,
    read_model_card,
    save_model,
)
from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.fitting.fit_state import STATE_FILE
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.training import fit, fit_choices, fit_identity
from offline_envs.dynamics.model import DynamicsModel, has_saved_form, weights_digest
from offline_envs.dynamics.termination_head import (
    HEAD_VERSION,
    LearnedTermination,
    fit_termination,
    load_termination,
    save_termination,
)
from offline_envs.dynamics.uncertainty.disagreement import DisagreementStats, dataset_disagreement
from offline_envs.dynamics.uncertainty.distances import DISAGREEMENTS, MAX_DISTANCE, OWN_DISAGREEMENTS
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.files import (
    cached,
    check_identity,
    clear_leftovers,
    key_of,
    moved_by,
    read_json,
    say,
    unfinished,
    write_json,
)
from offline_envs.settings import check_arguments

CACHE_VARIABLE = "OFFLINE_ENVS_CACHE"
"""Environment variable that names the cache folder."""

CACHE_SETTING = f"{CACHE_VARIABLE} or cache_dir="
"""What moves the cache, for messages."""

STATS_VERSION = 2
"""Version of the files of disagreement statistics."""

ENSEMBLES, TERMINATIONS = "ensembles", "terminations"
DISAGREEMENT_STATS, MEANS, DISCRIMINATORS = "disagreements", "means", "discriminators"
"""Folders of the cache."""

Result = TypeVar("Result")

_loaded: WeakValueDictionary[tuple[str, int, str], DynamicsModel] = WeakValueDictionary()
_loading = threading.Lock()


def cache_folder(cache_dir: Path | str | None = None) -> Path:
    """Return the folder of fitted models.

    Args:
        cache_dir: The folder to use; None means `$OFFLINE_ENVS_CACHE`, or else the user's cache folder.

    Raises:
        SettingsError: The folder is below the home of an unknown user.
    """
    chosen = cache_dir or os.environ.get(CACHE_VARIABLE)
    try:
        return Path(chosen).expanduser() if chosen else user_cache_path("offline-envs")
    except RuntimeError as error:  # ~name of an unknown user
        raise SettingsError(f"{CACHE_SETTING} must name a folder, got {str(chosen)!r}: {error}") from error


def ensemble_folder(
    transitions: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    fit_settings: FitSettings | None = None,
    initial: EnsembleDynamics | None = None,
    cache_dir: Path | str | None = None,
) -> Path:
    """Return the folder in which `fitted_ensemble` keeps the model of these arguments."""
    settings, fit_settings = fit_choices(transitions, settings, fit_settings, initial)
    return _ensemble_folder(fit_identity(transitions, settings, fit_settings, initial), cache_dir)


def _ensemble_folder(identity: Mapping[str, Any], cache_dir: Path | str | None) -> Path:
    return cache_folder(cache_dir) / ENSEMBLES / key_of({**identity, "format": FORMAT_VERSION})


@check_arguments
def fitted_ensemble(
    transitions: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    fit_settings: FitSettings | None = None,
    initial: EnsembleDynamics | None = None,
    device: torch.device | str = "cpu",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> EnsembleDynamics:
    """Return the ensemble of a dataset: from the cache, or fitted now and cached.

    Two callers in one process get the same object. A second process waits for the first one's fit. An
    interrupted fit resumes where it stopped.

    Args:
        transitions: The dataset.
        settings: Shape of the ensemble; None means that of `initial`, or MOPO's.
        fit_settings: Settings of the fit; None means MOPO's release.
        initial: Ensemble whose weights the fit starts from, see `fit`; other weights are another fit.
        device: Device of the fit and of the ensemble.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to show on standard error that a fit runs or is waited for.

    Raises:
        DatasetError: Too few rows for a holdout.
        CheckpointError: The cache holds a damaged model; the message names the folder to delete.
        StorageError: The cache cannot be written; this is noticed before the fit where it can be.
    """
    settings, fit_settings = fit_choices(transitions, settings, fit_settings, initial)
    identity = fit_identity(transitions, settings, fit_settings, initial)
    folder = _ensemble_folder(identity, cache_dir)

    def make(folder: Path) -> None:
        partial = unfinished(folder)
        clear_leftovers(partial / STATE_FILE)
        ensemble, report = fit(
            transitions,
            settings,
            fit_settings=fit_settings,
            initial=initial,
            device=device,
            progress=progress,
            folder=partial,
        )
        save_model(
            folder,
            ensemble,
            transitions=transitions,
            fit_settings=fit_settings,
            report=report,
            initial=initial,
        )

    def load(folder: Path) -> EnsembleDynamics:
        _check_card(folder, identity)
        return load_ensemble(folder, device)

    return cached_result(folder, make=make, load=load, progress=progress)


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
    identity = {"dataset": transitions.fingerprint, "seed": seed, "version": HEAD_VERSION}

    def make(path: Path) -> None:
        say(f"Training a termination head on {len(transitions)} transitions …", shown=progress)
        head = fit_termination(transitions, seed=seed, device=device)
        save_termination(path, head, about={**identity, "source": transitions.source})

    def load(path: Path) -> LearnedTermination:
        return load_termination(path, device, about=identity)

    path = cache_folder(cache_dir) / TERMINATIONS / f"{key_of(identity)}.safetensors"
    return cached_result(path, make=make, load=load, progress=progress)


def disagreement_stats(
    model: DynamicsModel,
    transitions: Transitions,
    *,
    members: str = "all",
    units: str = "std",
    disagreement: str = MAX_DISTANCE,
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> DisagreementStats:
    """Return statistics of disagreement on a dataset: from the cache, or computed now and cached.

    The cache identifies the model by its current weights. Nothing is cached if it has no saved form, or if
    the disagreement is a user's own, whose code may change under its name.

    Args:
        model: The model.
        transitions: The dataset.
        members: Members that are compared, `"all"` or `"elites"`.
        units: `"std"` or `"raw"`, see `obs_scale`.
        disagreement: Name of the disagreement, see `DISAGREEMENTS`.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to say on standard error that members are compared or another process is waited for.

    Raises:
        SettingsError: An unknown name, a single member, or predictions that are not finite.
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
    """

    def compute() -> DisagreementStats:
        say(f"Comparing members on {len(transitions)} transitions …", shown=progress)
        found = dataset_disagreement(
            model, transitions, members=members, units=units, disagreement=disagreement
        )
        return DisagreementStats.of(found)

    ours = DISAGREEMENTS.find(disagreement) in OWN_DISAGREEMENTS.values()
    if not (ours and has_saved_form(model)):
        return compute()
    identity = {
        **model_identity(model),
        "dataset": transitions.fingerprint,
        "members": members,
        "units": units,
        "version": STATS_VERSION,
    }
    if disagreement != MAX_DISTANCE:  # which is older than the setting
        identity["disagreement"] = disagreement

    def make(path: Path) -> None:
        stats = compute().to_json()
        write_json(path, {"about": {**identity, "source": transitions.source}, "stats": stats})

    def load(path: Path) -> DisagreementStats:
        return read_result(path, identity, lambda values: DisagreementStats.from_json(values["stats"]))

    path = cache_folder(cache_dir) / DISAGREEMENT_STATS / f"{key_of(identity)}.json"
    return cached_result(path, make=make, load=load, progress=progress)


def model_identity(model: DynamicsModel) -> dict[str, Any]:
    """What identifies a model by what it predicts now, whatever it was fitted to, as JSON values."""
    return {"weights": weights_digest(model), "model": model.card()}


def cached_result(
    path: Path, *, make: Callable[[Path], None], load: Callable[[Path], Result], progress: bool
) -> Result:
    """Load a result in the cache folder, computing it first if it is missing; see `files.cached`.

    Raises:
        CheckpointError: What is at `path` is damaged; the message says to delete it.
        StorageError: The folder cannot be written; the message names the setting that moves it.
    """
    with moved_by(CACHE_SETTING):
        return cached(path, make=make, load=load, progress=progress)


def _check_card(folder: Path, ours: Mapping[str, Any]) -> None:
    """Refuse the model of another fit than `ours`, e.g. because its folder was renamed."""
    card = read_model_card(folder)
    theirs = {
        "dataset": (card["dataset"] or {}).get("fingerprint"),
        "ensemble settings": card.get("settings"),
        "fit settings": card["fit_settings"],
        "initial weights": card.get("initial_sha256"),
        "version": ours["version"],  # not in a card, but in the folder's name
    }
    check_identity(folder, ours, theirs)


def read_result(
    path: Path, identity: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], Result]
) -> Result:
    """Read a JSON file of the cache that says in `about` what it is about.

    Args:
        path: The file.
        identity: What it must be about.
        parse: From its values to the result; it raises ValueError, TypeError or KeyError if they are none.

    Raises:
        CheckpointError: The file is damaged, or about something else.
    """
    values = read_json(path)
    check_identity(path, identity, values.get("about"))
    try:
        return parse(values)
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged ({error}).") from error
