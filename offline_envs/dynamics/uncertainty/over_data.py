"""`over_dataset`: a function of predictions on every pair of a dataset, in chunks."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.model import DynamicsModel
from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import SettingsError

CHUNK = 4096
"""Rows of the dataset that are predicted per call."""


def over_dataset(
    model: DynamicsModel,
    transitions: Transitions,
    members: Tensor | None,
    function: Callable[[Prediction], Tensor],
) -> NDArray[np.float32]:
    """Values of a function on each (obs, action) of a dataset, float32 `(n,)`.

    Args:
        model: The model, on any device.
        transitions: The dataset.
        members: Index of the members that predict, int64 `(M,)`, or None for all.
        function: From the predictions of B pairs to one number a pair, `(B,)`.
    """
    device = model.device
    found = np.empty(len(transitions), np.float32)
    for start in range(0, len(transitions), CHUNK):
        rows = slice(start, start + CHUNK)
        pairs = (transitions.obs[rows].to(device), transitions.actions[rows].to(device))
        found[rows] = function(model.predict(*pairs, members)).cpu().numpy()
    return found


def check_finite(values: NDArray[np.float64]) -> None:
    """Refuse values on a dataset, `(n,)`, that are not all finite.

    Raises:
        SettingsError: One is not.
    """
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise SettingsError(
            f"The model's predictions must be finite on its dataset, got {broken} of {len(values)} "
            "that are not. Fit it again."
        )
