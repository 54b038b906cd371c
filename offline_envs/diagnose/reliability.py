"""Whether a larger uncertainty goes with a larger error."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline_envs.evaluation.model_error import mean_ranks


@dataclass(frozen=True)
class Bin:
    """Steps of similar uncertainty.

    Attributes:
        uncertainty: Their mean uncertainty.
        error: Their mean error.
        n: Their number.
    """

    uncertainty: float
    error: float
    n: int


def rank_correlation(uncertainty: Tensor, error: Tensor) -> float | None:
    """Spearman's correlation of two vectors `(m,)`, in [−1, 1]; None if one of them is constant.

    Infinities rank among numbers, and what is no number above them, so that a broken model shows as one.
    """
    ranks = mean_ranks(uncertainty.numpy()), mean_ranks(error.numpy())
    if np.ptp(ranks[0]) == 0 or np.ptp(ranks[1]) == 0:
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def reliability(uncertainty: Tensor, error: Tensor, *, n_bins: int) -> list[Bin]:
    """Mean error of steps in order of their uncertainty, in bins of equal count.

    Args:
        uncertainty: u of each step, `(m,)`.
        error: True error of each step, `(m,)`.
        n_bins: Number of bins; fewer where there are fewer steps.
    """
    order = np.argsort(uncertainty.numpy(), kind="stable")
    bins = [torch.from_numpy(part) for part in np.array_split(order, n_bins) if len(part)]
    return [Bin(float(uncertainty[b].mean()), float(error[b].mean()), len(b)) for b in bins]
