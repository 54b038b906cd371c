"""`TunedOutputs`: hyperparameters of the outputs that are done, in a folder from which a fit resumes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from offline_envs.dynamics.fitting.fit_state import STATE_FILE
from offline_envs.dynamics.gaussian_process.kernel import Kernel
from offline_envs.errors import CheckpointError
from offline_envs.files import differences, read_tensors, write_tensors


class Tuned(NamedTuple):
    """What maximises the marginal likelihood of one output."""

    length_scales: Tensor  # float64 (q,)
    variance: Tensor  # float64 ()
    noise: Tensor  # float64 ()
    points: Tensor  # Inducing points, float64 (m, q); none, (0, q), of an exact process
    losses: Tensor  # Negative log marginal likelihood of a row at each step, float64 (steps,)
    seconds: Tensor  # Time that it took, float64 ()


class TunedOutputs:
    """The outputs that are done, in order.

    Args:
        folder: Folder that keeps them, or None.
        identity: What the fit depends on, as JSON values.

    Raises:
        CheckpointError: `folder` holds a damaged fit, or one of other data or settings.
    """

    def __init__(self, folder: Path | str | None, identity: Mapping[str, Any]) -> None:
        self._path = None if folder is None else Path(folder) / STATE_FILE
        self._identity = identity
        self._outputs = [] if self._path is None or not self._path.exists() else self._read(self._path)

    def __len__(self) -> int:
        return len(self._outputs)

    def add(self, tuned: Tuned) -> None:
        """Add the next output, and write all of them."""
        self._outputs.append(tuned)
        if self._path is not None:
            progress = {"outputs done": len(self)}
            write_tensors(self._path, self._stacked(), {"identity": self._identity, "progress": progress})

    def kernel(self, device: torch.device) -> Kernel:
        """Hyperparameters of all outputs."""
        return Kernel(*(self._stacked()[name].to(device) for name in Kernel._fields))

    def points(self, device: torch.device) -> Tensor:
        """Inducing points of all outputs, float64 `(D, m, q)`."""
        return self._stacked()["points"].to(device)

    def losses(self) -> Tensor:
        """Loss of each output at each step, float64 `(D, steps)`."""
        return self._stacked()["losses"].cpu()

    def seconds(self) -> float:
        """Time that all outputs took, also in earlier calls."""
        return float(self._stacked()["seconds"].sum())

    def _stacked(self) -> dict[str, Tensor]:
        return {name: torch.stack([getattr(t, name) for t in self._outputs]) for name in Tuned._fields}

    def _read(self, path: Path) -> list[Tuned]:
        try:
            tensors, header = read_tensors(path)
            columns = [tensors[name].unbind() for name in Tuned._fields]
        except (CheckpointError, KeyError) as error:
            raise CheckpointError(f"{path} is damaged ({error}). Delete it to fit again.") from error
        different = differences(self._identity, header.get("identity") or {})
        if different:
            raise CheckpointError(
                f"{path} belongs to a fit with other {', '.join(different)}. "
                "Delete it, or choose another folder, to fit again."
            )
        return [Tuned(*output) for output in zip(*columns, strict=True)]
