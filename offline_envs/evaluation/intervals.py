"""Predictive intervals, and the share of true outcomes that they contain."""

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Nominal probabilities of the central predictive intervals."""


def mixture_quantile(prediction: Prediction, true: Tensor) -> Tensor:
    """Quantile of the truth in the mixture of the members' Gaussians: F(y) = (1/N) Σ_i Φ((y − μ_i)/σ_i).

    Steps of the learned environment are drawn from that mixture, in which all members have equal weight. Each
    dimension is judged separately. If the mixture is calibrated, F(y) is uniform on [0, 1] (the probability
    integral transform; Dawid 1984).

    Args:
        prediction: Gaussians of N members, `(N, B, 1 + d)`.
        true: True outcome, `(B, 1 + d)`.

    Returns:
        F(y), float64 `(B, 1 + d)`; NaN where no member leaves a doubt, as of what is known.
    """
    z = (true.double() - prediction.mean.double()) / prediction.std.double()
    below: Tensor = torch.special.ndtr(z).nan_to_num(nan=0.0)  # what a broken model predicts is outside
    return below.mean(dim=0).masked_fill((prediction.std == 0).all(dim=0), torch.nan)


def interval_shares(quantile: Tensor, levels: tuple[float, ...] = LEVELS) -> Tensor:
    """Share of the true outcomes inside the central intervals.

    Args:
        quantile: F(y) of the truth, `(m, D)`.
        levels: Nominal probabilities p; the interval is where |F(y) − 1/2| ≤ p/2.

    Returns:
        Observed shares, float64 `(len(levels), D)`; of the rows that have a quantile, NaN if none has.
    """
    distance, missing = (quantile - 0.5).abs(), quantile.isnan()
    inside = [(distance <= level / 2).double().masked_fill(missing, torch.nan) for level in levels]
    return torch.stack([part.nanmean(dim=0) for part in inside])
