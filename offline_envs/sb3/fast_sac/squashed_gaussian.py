"""Actions tanh(μ + σ ε), their log-probabilities and the gradients of both, as pure functions."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0
"""Bounds of log σ in Stable-Baselines3's SAC and in the first release of Haarnoja et al. 2018."""

EPSILON = 1e-6
"""Added to 1 − a², so that its logarithm stays finite, as in the same sources."""


class SquashedSample(NamedTuple):
    """Sampled actions, with the values that their gradient needs."""

    action: Tensor
    """In [−1, 1], `(B, k)`."""
    log_prob: Tensor
    """`(B, 1)`."""
    noise: Tensor
    """ε, `(B, k)`."""
    std: Tensor
    """σ, `(B, k)`."""
    unclamped: Tensor
    """1 where log σ was within its bounds, 0 elsewhere, `(B, k)`."""

    def first(self, n: int) -> "SquashedSample":
        """The first `n` rows."""
        return SquashedSample(*(part[:n] for part in self))


def squashed_sample(heads: Tensor, noise: Tensor) -> SquashedSample:
    """Sample actions with given noise.

    log π(a) = Σ (−½ ε² − log σ − ½ log 2π) − Σ log(1 − a² + 10⁻⁶): Haarnoja et al. 2018, appendix C.

    Args:
        heads: Means μ, then unbounded log σ, `(B, 2k)`.
        noise: Standard normal ε, `(B, k)`.
    """
    mean, raw = heads.chunk(2, dim=1)
    log_std = raw.clamp(LOG_STD_MIN, LOG_STD_MAX)
    std = log_std.exp()
    action = torch.tanh(torch.addcmul(mean, std, noise))
    # Not (1 + EPSILON) - a²: float32 rounds that sum, and where a² is 1 nothing else is left.
    each = (0.5 * noise * noise + log_std).add_(torch.log((1 - action * action).add_(EPSILON)))
    log_prob = each.sum(1, keepdim=True).neg_().sub_(0.5 * math.log(2 * math.pi) * noise.shape[1])
    return SquashedSample(action, log_prob, noise, std, (raw == log_std).to(std.dtype))


def heads_gradient(sample: SquashedSample, action_grad: Tensor, log_prob_grad: Tensor) -> Tensor:
    """Gradient of a loss with respect to the heads.

    With u = μ + σ ε and ε fixed, log π depends on μ by ∂log π/∂u = 2 a (1 − a²)/(1 − a² + 10⁻⁶) only, and
    log σ adds −1 directly.

    Args:
        sample: The sample.
        action_grad: Gradient of the loss with respect to the actions, `(B, k)`.
        log_prob_grad: The same for each log-probability, a scalar.

    Returns:
        `(B, 2k)`.
    """
    action = sample.action
    slope = 1 - action * action
    of_action = torch.addcdiv(action_grad, 2 * log_prob_grad * action, slope + EPSILON)
    of_mean = of_action.mul_(slope)
    of_log_std = (of_mean * sample.std * sample.noise - log_prob_grad) * sample.unclamped
    return torch.cat([of_mean, of_log_std], dim=1)
