"""Whether the truth lies inside the predictive intervals as often as they promise."""

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Shares of the truth that the central predictive intervals should hold."""


def mixture_quantile(prediction: Prediction, true: Tensor) -> Tensor:
    """Where the truth lies in the equal mixture of the members' Gaussians: F(y) = (1/N) Σ_i Φ((y − μ_i)/σ_i).

    That mixture is what a step of the learned environment is drawn from, one dimension at a time. If it is
    calibrated, F(y) is uniform on [0, 1] (the probability integral transform; Dawid 1984).

    Args:
        prediction: Gaussians of N members, `(N, B, 1 + d)`, of positive deviation.
        true: What really came, `(B, 1 + d)`.

    Returns:
        F(y), float64 `(B, 1 + d)`.
    """
    z = (true.double() - prediction.mean.double()) / prediction.std.double()
    below: Tensor = torch.special.ndtr(z)
    return below.mean(dim=0)


def interval_shares(quantile: Tensor, levels: tuple[float, ...] = LEVELS) -> Tensor:
    """Share of the truth inside the central intervals.

    Args:
        quantile: F(y) of the truth, `(m, D)`.
        levels: Nominal shares p; the interval is where |F(y) − 1/2| ≤ p/2.

    Returns:
        Observed shares, float64 `(len(levels), D)`.
    """
    distance = (quantile - 0.5).abs()
    return torch.stack([(distance <= level / 2).double().mean(dim=0) for level in levels])
