"""`UnknownDetector`: whether members disagree too much about a pair of obs and action to know it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.ensemble.layers import SMALLEST_STD
from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.uncertainty.distances import DISAGREEMENTS, MAX_DISTANCE, Disagreement
from offline_envs.errors import unknown_name

UNITS = ("std", "raw")
"""Units of a disagreement: standard deviations of the dataset's observations, or the observations' own."""


@dataclass(frozen=True)
class UnknownDetector:
    """The unknown state-action detector: unknown where members disagree by more than a threshold.

    Kidambi et al. 2020 (MOReL), section 4: max_{i,j} ‖(μ_i − μ_j) / scale‖₂ > threshold, on the means of the
    next observation. The paper does not scale; a scale of ones gives its detector.

    Attributes:
        scale: Unit of each output that is compared, float32 `(m,)`; see `disagreement_scale`.
        threshold: Largest disagreement of a known pair.
        disagreement: How far members are apart; by default MOReL's largest distance, where m = d.
    """

    scale: Tensor
    threshold: float
    disagreement: Disagreement = DISAGREEMENTS[MAX_DISTANCE]

    def __call__(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """Compute the disagreement, float32 `(B,)`, and whether it is unknown, bool `(B,)`.

        A disagreement that is not a number is unknown: the model has diverged there.
        """
        disagreement = self.disagreement(prediction, self.scale)
        return disagreement, ~(disagreement <= self.threshold)


def disagreement_scale(transitions: Transitions, units: str, disagreement: str = MAX_DISTANCE) -> Tensor:
    """Return the unit of each output that a disagreement compares, float32 `(m,)` on the CPU.

    Args:
        transitions: The dataset.
        units: See `obs_scale`; that of the reward is chosen alike.
        disagreement: Name of the disagreement, see `DISAGREEMENTS`.

    Raises:
        SettingsError: Other units, or an unknown name.
    """
    outputs = DISAGREEMENTS.find(disagreement).outputs
    reward = _deviation(transitions.rewards) if units == "std" else torch.ones(())
    return torch.cat([reward[None], obs_scale(transitions, units)])[outputs]


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
    return torch.stack([_deviation(column) for column in transitions.obs.unbind(1)])


def _deviation(column: Tensor) -> Tensor:
    """Standard deviation of a column `(n,)`, or 1 if it never changes, a float32 scalar."""
    std = column.double().std(correction=0)
    return torch.where(std < SMALLEST_STD, 1.0, std).float()
