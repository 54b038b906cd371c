"""`export_model`: a fitted model as an ONNX file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from offline_envs.dynamics import DELTA, REWARD, DynamicsModel, EnsembleDynamics, read_model, read_model_card
from offline_envs.errors import SettingsError
from offline_envs.export.onnx_file import N_ROWS, check_onnx, write_onnx
from offline_envs.settings import check_arguments

OUTPUTS = ("reward_mean", "reward_std", "next_obs_mean", "next_obs_std")

SUMMARY = (
    "A dynamics model learned from recorded steps: of each elite member, mean and standard deviation of the "
    "Gaussians of reward and next observation, in raw units."
)


@check_arguments
def export_model(folder: Path | str, file: Path | str) -> None:
    """Write a fitted model as one ONNX file, which needs neither PyTorch nor this package.

    Inputs are `obs`, float32 `(batch, d)`, and `action`, float32 `(batch, k)`, in the units of the dataset.
    Outputs are those of the E elites: `reward_mean` and `reward_std`, `(E, batch)`, `next_obs_mean` and
    `next_obs_std`, `(E, batch, d)`. A step of the learned MDP draws an elite for each row, then reward and
    next observation from its Gaussians, all independently. The file has no penalty, no guard and no end of
    episodes.

    Metadata are `kind`, `obs_dim`, `action_dim`, `n_elites`, `elites`, `probabilistic`, `dataset`, `env_id`
    and `weights_sha256`; texts as they are, the rest as JSON.

    Args:
        folder: Folder of the model, as `save_model` and `offline-envs fit` write it. Of a model of
            observations with a history, `action` is the action followed by the past, see `history=`.
        file: The file to write; one that is there is replaced.

    Raises:
        CheckpointError: The folder cannot be read as a model.
        SettingsError: A package of the extra `onnx` is missing, or the model's kind cannot be exported.
        OfflineEnvsError: ONNX Runtime computes something else than PyTorch.
        StorageError: The system does not let the file be written.
    """
    check_onnx()
    place = Path(folder).expanduser()
    model, card = read_model(place), read_model_card(place)
    try:
        write_onnx(Path(file), _Elites(model).eval(), _example(model), OUTPUTS, _about(model, card), SUMMARY)
    except SettingsError as error:
        raise SettingsError(f"{folder}: {error}") from error


class _Elites(nn.Module):
    """The predictions of a model's elites for one step, in raw units."""

    def __init__(self, model: DynamicsModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, std = self.model.predict(obs, action, self.model.elites)
        return mean[..., REWARD], std[..., REWARD], obs + mean[..., DELTA], std[..., DELTA]


def _example(model: DynamicsModel) -> dict[str, Tensor]:
    """A few pairs: of an ensemble, spread as its data."""
    pairs = torch.randn(N_ROWS, model.obs_dim + model.action_dim, generator=torch.Generator().manual_seed(0))
    if isinstance(model, EnsembleDynamics):
        pairs = pairs * model.normalizer.std + model.normalizer.mean
    obs, action = pairs[:, : model.obs_dim], pairs[:, model.obs_dim :]
    return {"obs": obs.contiguous(), "action": action.contiguous()}


def _about(model: DynamicsModel, card: Mapping[str, Any]) -> dict[str, Any]:
    dataset = card["dataset"] or {}
    return {
        "kind": card.get("kind", "ensemble"),
        "obs_dim": model.obs_dim,
        "action_dim": model.action_dim,
        "n_elites": model.n_elites,
        "elites": model.elites.tolist(),
        "probabilistic": model.probabilistic,
        "dataset": dataset.get("source"),
        "env_id": dataset.get("env_id"),
        "weights_sha256": card["weights_sha256"],
    }
