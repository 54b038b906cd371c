"""`UnknownDetector`: whether members disagree too much about a pair of obs and action to know it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.ensemble.layers import SMALLEST_STD
from offline_envs.dynamics.prediction import DELTA, Prediction
from offline_envs.dynamics.uncertainty.measures import largest_distance
from offline_envs.errors import unknown_name

UNITS = ("std", "raw")
"""Units of a disagreement: standard deviations of the dataset's observations, or the observations' own."""


@dataclass(frozen=True)
class UnknownDetector:
    """The unknown state-action detector: unknown where max_{i,j} ‖(μ_i − μ_j) / scale‖₂ > threshold.

    Kidambi et al. 2020 (MOReL), section 4, on the means of the next observation. The paper does not
    scale; a scale of ones gives its detector.

    Attributes:
        scale: Unit of each observation dimension, float32 `(d,)`; see `obs_scale`.
        threshold: Largest disagreement of a known pair.
    """

    scale: Tensor
    threshold: float

    def __call__(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """Compute the disagreement, float32 `(B,)`, and whether it is unknown, bool `(B,)`.

        A disagreement that is not a number is unknown: the model has diverged there.
        """
        disagreement = scaled_disagreement(prediction, self.scale)
        return disagreement, ~(disagreement <= self.threshold)


def scaled_disagreement(prediction: Prediction, scale: Tensor) -> Tensor:
    """Largest distance between two members' means of the next observation, in units of `scale` `(d,)`."""
    return largest_distance(prediction.mean[..., DELTA] / scale)


def obs_scale(transitions: Transitions, units: str) -> Tensor:
    """Return the unit of disagreement of each observation dimension, float32 `(d,)` on the CPU.

    Args:
        transitions: The dataset.
        units: `"std"` for the dataset's standard deviation of each dimension, or 1 where the dimension never
            changes; `"raw"` for 1 everywhere.

    Raises:
        SettingsError: Other units.
    """
    if units not in UNITS:
        raise unknown_name("units", units, UNITS)
    if units == "raw":
        return torch.ones(transitions.obs_dim)
    std = torch.stack([column.double().std(correction=0) for column in transitions.obs.unbind(1)])
    return torch.where(std < SMALLEST_STD, 1.0, std).float()
