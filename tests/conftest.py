"""Fixtures for every test: separate folders, and a small dataset with its model in files."""

from pathlib import Path

import numpy as np
import pytest

from offline_envs.data import load_transitions
from offline_envs.dynamics import (
    EnsembleSettings,
    FitSettings,
    ensemble_folder,
    fitted_ensemble,
    save_model,
)
from tests.toy import toy_ensemble, toy_transitions


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's datasets and from the user's cache of fitted models."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder / "minari"))
    monkeypatch.setenv("OFFLINE_ENVS_CACHE", str(folder / "cache"))


@pytest.fixture(scope="session")
def toy_dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of an `.npz` of `toy_transitions`."""
    path = tmp_path_factory.mktemp("dataset") / "toy.npz"
    toy = toy_transitions()
    names = ("obs", "actions", "rewards", "next_obs", "terminated", "episode_starts")
    np.savez(path, **{name: getattr(toy, name).numpy() for name in names})
    return str(path)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a saved `toy_ensemble`."""
    folder: Path = tmp_path_factory.mktemp("model") / "toy"
    save_model(folder, toy_ensemble())
    return str(folder)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny ensemble, fitted to the dataset that comes with the package."""
    transitions = load_transitions("offline-envs/inverteddoublependulum-replay-v0")
    settings, fit_settings = EnsembleSettings(hidden=(16, 16)), FitSettings(max_epochs=1)
    cache = tmp_path_factory.mktemp("cache")
    fitted_ensemble(transitions, settings, fit_settings=fit_settings, cache_dir=cache, progress=False)
    return ensemble_folder(transitions, settings, fit_settings=fit_settings, cache_dir=cache)
