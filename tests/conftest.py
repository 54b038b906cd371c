"""Fixtures for every test: separate folders, and a small dataset with its model in files."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_envs.consistency import DiscriminatorSettings, fitted_dynamics_reward
from offline_envs.data import load_transitions
from offline_envs.dynamics import (
    EnsembleSettings,
    FitSettings,
    ensemble_folder,
    fitted_ensemble,
    save_model,
)
from offline_envs.methods import consistent
from tests.toy import toy_ensemble, toy_transitions


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's datasets and from the user's cache of fitted models."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder / "minari"))
    monkeypatch.setenv("OFFLINE_ENVS_CACHE", str(folder / "cache"))


@pytest.fixture(autouse=True)
def few_discriminators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in a moment the discriminators of environments that do not say how."""
    few = DiscriminatorSettings(hidden=(8,), n_snapshots=2, steps=4, batch_size=8)

    def fitted(model: Any, transitions: Any, settings: DiscriminatorSettings, **options: Any) -> Any:
        chosen = few if settings == DiscriminatorSettings() else settings
        return fitted_dynamics_reward(model, transitions, chosen, **options)

    monkeypatch.setattr(consistent, "fitted_dynamics_reward", fitted)


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


STRANGER = """
from pathlib import Path
from gymnasium import Wrapper
from gymnasium.envs.classic_control import PendulumEnv
from gymnasium.envs.mujoco.inverted_double_pendulum_v5 import InvertedDoublePendulumEnv

Path({mark!r}).touch()

class Env(PendulumEnv):
    pass

class Twin(InvertedDoublePendulumEnv):
    pass

class Wrap(Wrapper):
    pass
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """Put a module `stranger` on the path, and tell whether it was ever imported."""
    mark = tmp_path / "mark"
    (tmp_path / "stranger.py").write_text(STRANGER.format(mark=str(mark)))
    monkeypatch.syspath_prepend(tmp_path)
    yield mark.exists
    sys.modules.pop("stranger", None)
