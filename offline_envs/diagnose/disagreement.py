"""MOReL's disagreement between members, and how often a threshold on it would halt."""

from collections.abc import Sequence

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction
from offline_envs.dynamics.prediction import DELTA

BETAS = (0.0, 5.0, 10.0)
"""Multiples β of the deviation in the threshold mean + β·std over the data."""


def max_disagreement(prediction: Prediction, scale: Tensor) -> Tensor:
    """Largest distance between two members' next observations: max_{i,j} ‖(μ_i − μ_j) / scale‖₂.

    The unknown state-action detector of Kidambi et al. 2020 (MOReL), there in the units of the observation.

    Args:
        prediction: Predictions of N members for B pairs.
        scale: Unit of each observation dimension, `(d,)`.

    Returns:
        One non-negative number a pair, `(B,)`.
    """
    means = (prediction.mean[..., DELTA] / scale).transpose(0, 1)  # (B, N, d)
    distances = torch.cdist(means, means, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.amax(dim=(1, 2))


def thresholds(disagreement: Tensor, betas: Sequence[float] = BETAS) -> dict[float, float]:
    """The thresholds mean + β·std of the disagreement over the data, `(m,)`, by β."""
    std, mean = torch.std_mean(disagreement.double(), correction=0)
    return {beta: float(mean + beta * std) for beta in betas}


def halt_rate(disagreement: Tensor, threshold: Tensor) -> Tensor:
    """Share of steps `(m,)` whose disagreement is above each threshold, `(t,)`, float64 `(t,)`."""
    ordered = disagreement.sort().values
    above = len(ordered) - torch.searchsorted(ordered, threshold.to(ordered), right=True)
    return above.double() / len(ordered)
