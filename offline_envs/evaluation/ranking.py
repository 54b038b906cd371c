"""Ranking of errors by uncertainty: rank correlation and reliability curves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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


def mean_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Rank of each value among `(m,)`, from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def rank_correlation(uncertainty: Tensor, error: Tensor) -> float | None:
    """Spearman's correlation of two vectors `(m,)` on the CPU, in [−1, 1]; None if one of them is constant.

    Infinities rank like numbers and NaN ranks above all of them, so a broken model shows up as broken.
    """
    ranks = mean_ranks(uncertainty.numpy()), mean_ranks(error.numpy())
    if np.ptp(ranks[0]) == 0 or np.ptp(ranks[1]) == 0:
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def reliability_bins(uncertainty: Tensor, error: Tensor, *, n_bins: int) -> list[Bin]:
    """Mean error of steps sorted by uncertainty, in bins of equal count.

    Args:
        uncertainty: u of each step, `(m,)`, on the CPU.
        error: True error of each step, `(m,)`, on the CPU.
        n_bins: Number of bins; fewer if there are fewer steps.
    """
    order = np.argsort(uncertainty.numpy(), kind="stable")
    bins = [torch.from_numpy(part) for part in np.array_split(order, n_bins) if len(part)]
    return [Bin(float(uncertainty[b].mean()), float(error[b].mean()), len(b)) for b in bins]
