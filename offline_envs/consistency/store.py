"""Dynamics rewards in the cache: trained once by one process, and shared within each process."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch

from offline_envs.consistency.dynamics_reward import DynamicsReward
from offline_envs.consistency.network import Discriminators
from offline_envs.consistency.settings import DiscriminatorSettings
from offline_envs.consistency.training import fit_dynamics_reward, reward_identity
from offline_envs.data import Transitions
from offline_envs.dynamics import (
    DISCRIMINATORS,
    STATE_FILE,
    DynamicsModel,
    cache_folder,
    cached_result,
    has_saved_form,
)
from offline_envs.errors import CheckpointError
from offline_envs.files import (
    check_identity,
    clear_leftovers,
    key_of,
    read_tensors,
    unfinished,
    write_tensors,
)

_loaded: WeakValueDictionary[tuple[str, int, str], DynamicsReward] = WeakValueDictionary()
_of_functions: WeakKeyDictionary[DynamicsModel, dict[str, DynamicsReward]] = WeakKeyDictionary()
"""Those of models without a saved form, for as long as the model lives."""

_loading = threading.Lock()


def fitted_dynamics_reward(
    model: DynamicsModel,
    transitions: Transitions,
    settings: DiscriminatorSettings | None = None,
    *,
    cache_dir: Path | str | None = None,
    progress: bool = True,
) -> DynamicsReward:
    """Return the dynamics reward of a model and its dataset: from the cache, or trained now and cached.

    The cache identifies the model by its current weights. Two callers in one process get the same object; a
    second process waits for the first one's training. An interrupted training resumes at its last snapshot.
    The dynamics reward of a model without a saved form is kept for as long as the model lives.

    Args:
        model: The model.
        transitions: The dataset.
        settings: Settings of the discriminators; None means the defaults.
        cache_dir: Cache folder, see `offline_envs.dynamics.cache_folder`.
        progress: Whether to show on standard error that discriminators are trained or waited for.

    Returns:
        The dynamics reward, on the model's device.

    Raises:
        DatasetError: A dataset of a single row.
        CheckpointError: The cache holds a damaged file; the message names the file to delete.
        StorageError: The cache cannot be written; this is noticed before the training where it can be.
    """
    settings = settings or DiscriminatorSettings()
    if not has_saved_form(model):
        return _of_function(model, transitions, settings, progress=progress)
    identity = reward_identity(model, transitions, settings)

    def make(path: Path) -> None:
        partial = unfinished(path)
        clear_leftovers(partial / STATE_FILE)
        reward = fit_dynamics_reward(model, transitions, settings, progress=progress, folder=partial)
        save_dynamics_reward(path, reward, about={**identity, "source": transitions.source})

    def load(path: Path) -> DynamicsReward:
        key = (str(path.resolve()), path.stat().st_mtime_ns, str(model.device))
        with _loading:
            reward = _loaded.get(key)
            if reward is None:
                reward = _loaded[key] = load_dynamics_reward(path, model.device, about=identity)
        return reward

    path = cache_folder(cache_dir) / DISCRIMINATORS / f"{key_of(identity)}.safetensors"
    return cached_result(path, make=make, load=load, progress=progress)


def _of_function(
    model: DynamicsModel, transitions: Transitions, settings: DiscriminatorSettings, *, progress: bool
) -> DynamicsReward:
    key = key_of({"dataset": transitions.fingerprint, "settings": settings.to_json()})
    with _loading:
        own = _of_functions.setdefault(model, {})
        if key not in own:
            own[key] = fit_dynamics_reward(model, transitions, settings, progress=progress)
        return own[key]


def save_dynamics_reward(
    path: Path | str, reward: DynamicsReward, *, about: Mapping[str, Any] | None = None
) -> None:
    """Write a dynamics reward to one safetensors file, atomically.

    Args:
        path: The file.
        reward: The dynamics reward, on any device.
        about: What it was trained on, JSON values by name.
    """
    own = reward.discriminators
    tensors = {"mean": own.mean, "std": own.std, "of_model": reward.of_model, "of_data": reward.of_data}
    for depth, (weight, bias) in enumerate(own.layers):
        tensors |= {f"layers.{depth}.weight": weight, f"layers.{depth}.bias": bias}
    header = {"successor": own.successor, "n_layers": len(own.layers), "about": dict(about or {})}
    write_tensors(Path(path), tensors, header)


def load_dynamics_reward(
    path: Path | str, device: torch.device | str = "cpu", *, about: Mapping[str, Any] | None = None
) -> DynamicsReward:
    """Read what `save_dynamics_reward` wrote.

    Args:
        path: The file.
        device: Device of the dynamics reward.
        about: What it must have been trained on, as far as that matters.

    Raises:
        CheckpointError: The file is missing, truncated, altered, of another kind, or trained on something
            else.
    """
    tensors, header = read_tensors(Path(path))
    check_identity(Path(path), about or {}, header.get("about"))
    try:
        depths = range(header["n_layers"])
        layers = [(tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"]) for i in depths]
        own = Discriminators(layers, tensors["mean"], tensors["std"], header["successor"])
        reward = DynamicsReward(own, tensors["of_model"], tensors["of_data"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: header and tensors disagree ({error}).") from error
    return reward.to(device)
