"""A fitted model as a folder: `weights.safetensors` and `model.json`, the card that describes them."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from offline_envs.data import Transitions
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.fitting.report import FitReport
from offline_envs.dynamics.kinds import ENSEMBLE, MODEL_KINDS, kind_of
from offline_envs.dynamics.model import DynamicsModel, is_dynamics_model, weights_digest
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.files import json_checksum, new_folder, read_plain_json, tensor_bytes
from offline_envs.settings import JsonSettings, check_arguments

FORMAT_VERSION = 1
"""Version of the folder's layout; newer versions are refused on reading."""

CARD_FILE, WEIGHTS_FILE = "model.json", "weights.safetensors"


def save_model(
    folder: Path | str,
    model: DynamicsModel,
    *,
    transitions: Transitions | None = None,
    fit_settings: JsonSettings | None = None,
    report: FitReport | None = None,
    initial: DynamicsModel | None = None,
) -> None:
    """Write a fitted model to `folder` atomically, replacing a model that is already there.

    Args:
        folder: Target folder; it is created if missing, and may hold only a model.
        model: The model, on any device; its class must be registered in `MODEL_KINDS`.
        transitions: The dataset it was fitted to, for the card.
        fit_settings: How it was fitted, for the card; its `holdout` and `seed` tell which rows were held out.
        report: Report of the fit, for the card.
        initial: Model whose weights the fit started from, for the card.

    Raises:
        CheckpointError: `folder` holds something that is not a model.
        SettingsError: It is no model, or its class is not registered.
    """
    if not is_dynamics_model(model):
        raise SettingsError(f"model must be a fitted dynamics model, got {type(model).__name__}.")
    weights = tensor_bytes(model.state_dict())
    card = {
        "format_version": FORMAT_VERSION,
        "package_version": version("offline-envs"),
        "kind": kind_of(model),
        **model.card(),
        "fit_settings": fit_settings and fit_settings.to_json(),
        "dataset": transitions and _dataset_card(transitions),
        "report": report and report.to_json(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    if initial is not None:  # else the entry is left out, as in cards of earlier versions
        card["initial_sha256"] = weights_digest(initial)
    card["card_sha256"] = json_checksum(card)
    files = {WEIGHTS_FILE: weights, CARD_FILE: json.dumps(card, indent=2).encode()}
    _write_folder(Path(folder).expanduser(), files)


@check_arguments
def read_model_card(folder: Path | str) -> dict[str, Any]:
    """Read the card of a saved model, without its weights.

    Returns:
        `format_version`, `package_version`, `kind`, the entries of the model's own `card` (for an ensemble
        `obs_dim`, `action_dim`, `settings` and `elites`), `weights_sha256`, and, if given on
        saving, `fit_settings`, `dataset` and `report` (else None), and `initial_sha256`.

    Raises:
        CheckpointError: The folder is not a model, its card is damaged, or a newer version wrote it.
    """
    path = Path(folder).expanduser() / CARD_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a model: it holds no {CARD_FILE}.")
    card = read_plain_json(path)
    try:
        found = int(card["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: it is not the card of a model ({error!r}).") from error
    if found > FORMAT_VERSION:
        raise CheckpointError(
            f"{folder} has format version {found}, written by offline-envs {card.get('package_version')}; "
            f"offline-envs {version('offline-envs')} reads versions up to {FORMAT_VERSION}. Upgrade it."
        )
    checksum = card.pop("card_sha256", None)
    if checksum != json_checksum(card):
        raise CheckpointError(f"{path} was altered: its contents do not match its own checksum.")
    return dict(card)


@check_arguments
def read_model(folder: Path | str, device: torch.device | str = "cpu") -> DynamicsModel:
    """Read a model that `save_model` wrote; see `load_model` to share it within the process.

    Args:
        folder: Folder of the model.
        device: Device of the model.

    Raises:
        CheckpointError: The folder is not a model, incomplete, truncated, altered, or too new.
    """
    card = read_model_card(folder)
    path = Path(folder).expanduser() / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} is incomplete: it holds no {WEIGHTS_FILE}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != card.get("weights_sha256"):
        raise CheckpointError(f"{path} is truncated or altered: its checksum is not the one in {CARD_FILE}.")
    try:
        kind = MODEL_KINDS.find(card.get("kind", ENSEMBLE))
        tensors = safetensors.torch.load(content)
        if card.get("kind", ENSEMBLE) == ENSEMBLE:
            _check_declared(folder, card, sum(tensor.numel() for tensor in tensors.values()))
        model = kind.from_card(card, tensors)
    except (SettingsError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder} is damaged: card and weights disagree ({error}).") from error
    return model.to(device)


def _check_declared(folder: Path | str, card: Mapping[str, Any], n_stored: int) -> None:
    """Refuse an ensemble that declares more weights than are stored, before memory is asked for."""
    settings = EnsembleSettings.from_json(card["settings"])
    widths = (int(card["obs_dim"]) + int(card["action_dim"]), *settings.hidden)
    declared = settings.n_members * sum(before * after for before, after in pairwise(widths))
    if declared > n_stored:
        raise CheckpointError(
            f"{folder} is damaged: card and weights disagree: at least {declared} weights are declared, "
            f"{n_stored} stored."
        )


def _dataset_card(transitions: Transitions) -> dict[str, Any]:
    return {
        "fingerprint": transitions.fingerprint,
        "source": transitions.source,
        "env_id": transitions.env_id,
        "n_transitions": len(transitions),
    }


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    if folder.is_file() or (folder.is_dir() and {p.name for p in folder.iterdir()} - files.keys()):
        raise CheckpointError(f"{folder} holds something other than a model; choose another folder.")
    with new_folder(folder) as part:
        for name, content in files.items():
            (part / name).write_bytes(content)
