"""The state of a fit after each epoch, and the file from which it resumes."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.fitting.losses import decay_factors
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.value_consistency import ValueConsistency
from offline_envs.errors import CheckpointError
from offline_envs.files import differences, read_tensors, write_tensors

STATE_FILE = "fit.safetensors"
"""Name of the file, inside the folder of a fit, that an interrupted fit resumes from."""

_PROGRESS = ("train_loss", "holdout_history", "best_mse", "dry_epochs", "seconds", "stopped_by")


class FitState:
    """Weights, Adam's moments, best snapshots and counters of a fit.

    Args:
        ensemble: The networks being fitted, on their device, spectral norm already added.
        fit_settings: Settings of the fit.
        values: The values that are learned beside, if any.
    """

    def __init__(
        self,
        ensemble: EnsembleDynamics,
        fit_settings: FitSettings,
        values: ValueConsistency | None = None,
    ) -> None:
        self.ensemble, self.fit_settings, self.values = ensemble, fit_settings, values
        self.optimizer = make_optimizer(ensemble, fit_settings)
        self.best = {name: value.clone() for name, value in self._member_tensors().items()}
        self.best_mse = [math.inf] * ensemble.n_members
        self.train_loss: list[float] = []
        self.holdout_history: list[list[float]] = []
        self.dry_epochs = 0
        self.seconds = 0.0
        self.stopped_by = ""

    @property
    def epoch(self) -> int:
        """Number of epochs finished."""
        return len(self.train_loss)

    def record(self, train_loss: float, holdout_mse: Sequence[float]) -> None:
        """End an epoch: keep the members that improved, and decide whether the fit continues.

        At a constant rate the fit stops once `patience` epochs in a row passed without any improvement.
        OfflineRL-Kit does the same; MOPO's TensorFlow release waits one epoch longer.
        """
        needed = 1 - self.fit_settings.improvement
        improved = [i for i, mse in enumerate(holdout_mse) if mse < needed * self.best_mse[i]]
        for name, value in self._member_tensors().items():
            self.best[name][improved] = value[improved]
        for i in improved:
            self.best_mse[i] = holdout_mse[i]
        self.dry_epochs = 0 if improved else self.dry_epochs + 1
        self.train_loss.append(train_loss)
        self.holdout_history.append(list(holdout_mse))
        settings = self.fit_settings
        if not settings.is_planned and self.dry_epochs >= settings.patience:
            self.stopped_by = "patience"
        elif self.epoch == settings.max_epochs:
            self.stopped_by = "max_epochs"

    def restore_best(self) -> None:
        """Give every member its best weights. The bounds, shared by all members, keep their last values."""
        for name, value in self._member_tensors().items():
            value.copy_(self.best[name])

    def elites(self) -> list[int]:
        """Members of lowest holdout error, best first."""
        ranked = sorted(range(len(self.best_mse)), key=self.best_mse.__getitem__)
        return ranked[: self.ensemble.settings.n_elites]

    def capture(self) -> "Capture":
        """An independent copy of the state as it is now."""
        tensors = {name: value.clone() for name, value in self._tensors().items()}
        return Capture(tensors, {name: _copied(getattr(self, name)) for name in _PROGRESS})

    def restore(self, capture: "Capture") -> None:
        """Restore a captured state.

        Raises:
            CheckpointError: The capture has the tensors of another network.
        """
        own = self._tensors()
        if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in capture.tensors.items()}:
            raise CheckpointError("The saved fit holds other tensors than this ensemble. Delete it.")
        for name, value in own.items():
            value.copy_(capture.tensors[name])
        for name in _PROGRESS:
            setattr(self, name, _copied(capture.progress[name]))

    def _member_tensors(self) -> dict[str, Tensor]:
        state = self.ensemble.state_dict()
        return {
            name: value for name, value in state.items() if name.startswith(("trunk.", "norms.", "heads."))
        }

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"ensemble.{name}": value for name, value in self.ensemble.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        if self.values:
            tensors |= {f"values.{name}": value for name, value in self.values.tensors().items()}
        return tensors | adam_tensors(self.ensemble, self.optimizer)


class Capture:
    """A copy of a `FitState` that can be written and read.

    Args:
        tensors: Every tensor by name.
        progress: Counters and history, as JSON values.
    """

    def __init__(self, tensors: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
        self.tensors, self.progress = tensors, progress

    def write(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Write the capture to `folder`, atomically; `identity` identifies the fit."""
        write_tensors(folder / STATE_FILE, self.tensors, {"identity": identity, "progress": self.progress})

    @classmethod
    def read(cls, folder: Path, identity: Mapping[str, Any]) -> "Capture | None":
        """Read the capture in `folder`; None when there is none.

        Raises:
            CheckpointError: The file is damaged, or belongs to another fit.
        """
        path = folder / STATE_FILE
        if not path.exists():
            return None
        try:
            tensors, header = read_tensors(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error} Delete it to fit again.") from error
        if "identity" not in header or set(header.get("progress", ())) != set(_PROGRESS):
            raise CheckpointError(f"{path} is not the state of a fit. Delete it to fit again.")
        different = differences(identity, header["identity"])
        if different:
            raise CheckpointError(
                f"{path} belongs to a fit with other {', '.join(different)}. "
                "Delete it, or choose another folder, to fit again."
            )
        return cls(tensors, header["progress"])


def make_optimizer(ensemble: EnsembleDynamics, fit_settings: FitSettings) -> torch.optim.Adam:
    """Adam over all members, its moments at zero; the L2 term enters as the optimiser's own, coupled decay.

    With spectral norm the decay acts on the weights before they are normalised.
    """
    layers = [*ensemble.trunk, *ensemble.heads]
    factors = decay_factors(fit_settings.weight_decay, len(ensemble.trunk), len(ensemble.heads))
    by_factor: dict[float, list[nn.Parameter]] = {0.0: []}
    for layer, factor in zip(layers, factors, strict=True):
        for name, parameter in layer.named_parameters():
            by_factor.setdefault(0.0 if name == "bias" else factor, []).append(parameter)
    by_factor[0.0] += ensemble.norms.parameters()
    if ensemble.bounds is not None:
        by_factor[0.0] += ensemble.bounds.parameters()
    groups = [{"params": group, "weight_decay": factor} for factor, group in by_factor.items()]
    device = ensemble.elites.device
    on_gpu = device.type == "cuda"
    rate = torch.tensor(fit_settings.learning_rate, device=device) if on_gpu else fit_settings.learning_rate
    optimizer = torch.optim.Adam(groups, lr=rate, fused=True, capturable=on_gpu)
    for parameter in ensemble.parameters():
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of all parameters, in place: a captured step holds the tensor's address."""
    shared = optimizer.param_groups[0]["lr"]
    if isinstance(shared, Tensor):
        shared.fill_(learning_rate)
        return
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def adam_tensors(ensemble: EnsembleDynamics, optimizer: torch.optim.Adam) -> dict[str, Tensor]:
    """Step counts and moments of `make_optimizer`'s Adam by name, the tensors themselves."""
    return {
        f"adam.{name}.{key}": value
        for name, parameter in ensemble.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
