"""The terms of the loss that an ensemble is fitted by: pure functions of tensors.

Written as in MBPO's release (Janner et al. 2019), which MOPO shares: means over batch and outputs, sums over
members, no factor 1/2 and no constant in the likelihood.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from offline_envs.dynamics.ensemble.layers import LogVarianceBounds


def gaussian_nll(mean: Tensor, logvar: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of each member: mean((μ − y)² · exp(−log σ²)) + mean(log σ²).

    Args:
        mean: Predicted means, `(N, B, 1 + d)`.
        logvar: Predicted log-variances, `(N, B, 1 + d)`.
        target: Observed values, `(N, B, 1 + d)`.

    Returns:
        One value a member, `(N,)`, twice the usual likelihood up to a constant.
    """
    return ((mean - target).square() * torch.exp(-logvar) + logvar).mean(dim=(1, 2))


def squared_error(mean: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each member over batch and outputs, `(N, B, 1 + d)` to `(N,)`, in raw units."""
    return (mean - target).square().mean(dim=(1, 2))


def data_loss(mean: Tensor, logvar: Tensor | None, target: Tensor) -> Tensor:
    """Likelihood of probabilistic members, squared error of deterministic ones (`logvar` None), `(N,)`."""
    return squared_error(mean, target) if logvar is None else gaussian_nll(mean, logvar, target)


def row_loss(mean: Tensor, logvar: Tensor | None, target: Tensor) -> Tensor:
    """The same loss of every row, `(N, B, 1 + d)` to `(N, B)`: `data_loss` is its mean over the rows."""
    squared = (mean - target).square()
    return (squared if logvar is None else squared * torch.exp(-logvar) + logvar).mean(dim=-1)


def log_likelihood(mean: Tensor, logvar: Tensor, value: Tensor) -> Tensor:
    """Logarithm of the density of each row under independent Gaussians, `(N, B, 1 + d)` to `(N, B)`."""
    squared = (value - mean).square() * torch.exp(-logvar)
    return -0.5 * (squared + logvar + math.log(2 * math.pi)).sum(dim=-1)


def weight_penalty(weights: Iterable[Tensor], factors: Iterable[float]) -> Tensor:
    """L2 term Σ_l factor_l/2 · ‖W_l‖², summed over members; biases are not penalised.

    The fit does not compute this: Adam's own `weight_decay` adds the same gradient, factor_l · W_l, at no
    cost.

    Args:
        weights: Weights of each layer, `(N, n_inputs, n_outputs)`.
        factors: Factor of each layer.
    """
    return torch.stack([0.5 * f * w.square().sum() for w, f in zip(weights, factors, strict=True)]).sum()


def decay_factors(values: Sequence[float], n_trunk: int, n_heads: int) -> list[float]:
    """Spread the setting `weight_decay` over the layers of a network.

    Args:
        values: The setting: one value a trunk layer, then one for the heads. A deeper trunk repeats its last
            value, a shallower one takes the first.
        n_trunk: Number of trunk layers.
        n_heads: Number of heads.
    """
    trunk = values[:-1] or values
    return [trunk[min(i, len(trunk) - 1)] for i in range(n_trunk)] + [values[-1]] * n_heads


def bound_penalty(bounds: LogVarianceBounds | None, weight: float) -> Tensor | float:
    """Term that pulls the log-variance bounds together: weight · (Σ upper − Σ lower)."""
    return 0.0 if bounds is None else weight * bounds.spread()
