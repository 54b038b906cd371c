"""Fitted Gaussian processes in the user's cache folder, beside the ensembles."""

from pathlib import Path

import torch

from offline_envs.data import Transitions
from offline_envs.dynamics.checkpoint import FORMAT_VERSION, read_model_card, save_model
from offline_envs.dynamics.fitting.fit_state import STATE_FILE
from offline_envs.dynamics.gaussian_process.fitting import fit_gaussian_process, gp_identity
from offline_envs.dynamics.gaussian_process.model import GaussianProcessDynamics
from offline_envs.dynamics.gaussian_process.settings import GaussianProcessSettings
from offline_envs.dynamics.store import cache_folder, cached_result, load_model
from offline_envs.errors import CheckpointError
from offline_envs.files import check_identity, clear_leftovers, key_of, unfinished
from offline_envs.settings import check_arguments

PROCESSES = "gaussian-processes"
"""Folder of the cache."""


def gaussian_process_folder(
    transitions: Transitions,
    settings: GaussianProcessSettings | None = None,
    *,
    cache_dir: Path | str | None = None,
) -> Path:
    """Return the folder in which `fitted_gaussian_process` keeps the model of these data and settings."""
    identity = gp_identity(transitions, settings or GaussianProcessSettings())
    return cache_folder(cache_dir) / PROCESSES / key_of({**identity, "format": FORMAT_VERSION})


@check_arguments
def fitted_gaussian_process(
    transitions: Transitions,
    settings: GaussianProcessSettings | None = None,
    *,
    device: torch.device | str = "cpu",
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> GaussianProcessDynamics:
    """Return the Gaussian process of a dataset: from the cache, or fitted now and cached.

    As `fitted_ensemble`: callers share the object, a second process waits, an interrupted fit resumes with
    the output at which it stopped.

    Args:
        transitions: The dataset.
        settings: Settings of the fit; None means the defaults.
        device: Device of the fit and of the process.
        cache_dir: Cache folder, see `cache_folder`.
        progress: Whether to show on standard error that a fit runs or is waited for.

    Raises:
        DatasetError: Too few rows for a holdout.
        CheckpointError: The cache holds a damaged model; the message names the folder to delete.
        StorageError: The cache cannot be written.
        OfflineEnvsError: gpytorch is missing, or the likelihood is not finite.
    """
    settings = settings or GaussianProcessSettings()

    def make(folder: Path) -> None:
        partial = unfinished(folder)
        clear_leftovers(partial / STATE_FILE)
        process, report = fit_gaussian_process(
            transitions, settings, device=device, progress=progress, folder=partial
        )
        save_model(folder, process, transitions=transitions, fit_settings=settings, report=report)

    def load(folder: Path) -> GaussianProcessDynamics:
        card, ours = read_model_card(folder), gp_identity(transitions, settings)
        theirs = {
            "dataset": (card["dataset"] or {}).get("fingerprint"),
            "fit settings": card["fit_settings"],
            "version": ours["version"],  # not in a card, but in the folder's name
        }
        check_identity(folder, ours, theirs)
        model = load_model(folder, device)
        if not isinstance(model, GaussianProcessDynamics):
            raise CheckpointError(f"{folder} must hold a Gaussian process, got a {type(model).__name__}.")
        return model

    folder = gaussian_process_folder(transitions, settings, cache_dir=cache_dir)
    return cached_result(folder, make=make, load=load, progress=progress)
