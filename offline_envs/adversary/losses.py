"""The adversary's loss: pure functions of tensors.

Rigter et al. 2022 (RAMBO) train a policy in the worst of the models that the data allow. The model descends

    L(φ) = λ · V^π_φ − E_D[log P_φ(s′, r | s, a)]

alternating with the policy. Its first term has the gradient of a policy gradient, with the model in place of
the policy and Q(s, a) as the baseline:

    ∇ V^π_φ = E_{s, a ~ π, (s′, r) ~ P_φ}[(r + γ·V(s′) − Q(s, a)) · ∇ log P_φ(s′, r | s, a)].
"""

import math

import torch
from torch import Tensor

SMALLEST_SPREAD = 1e-6
"""Added to the deviation that advantages are divided by, so that equal ones become 0."""


def mixture_log_prob(mean: Tensor, logvar: Tensor, target: Tensor) -> Tensor:
    """Log-density of an equal mixture of Gaussians: log((1/E) Σ_i Π_j N(y_j; μ_ij, σ_ij)).

    RAMBO's release multiplies the densities in float64 and takes the logarithm of the sum, which is −∞ where
    they underflow. This adds logarithms over the dimensions and takes a logsumexp over the members, so
    float32 will do in any dimension.

    Args:
        mean: Means of the E elites, `(E, B, 1 + d)`.
        logvar: Their log-variances, `(E, B, 1 + d)`.
        target: What was drawn, y = (reward, next_obs − obs), `(B, 1 + d)`.

    Returns:
        One value a row, `(B,)`.
    """
    squares = (target - mean).square() * torch.exp(-logvar)
    each = -0.5 * (squares + logvar + math.log(2 * math.pi)).sum(dim=-1)  # (E, B)
    return torch.logsumexp(each, dim=0) - math.log(len(mean))


def advantage(
    reward: Tensor, next_value: Tensor, value: Tensor, terminated: Tensor, *, gamma: float
) -> Tensor:
    """Advantage of a step over its expectation: r + γ·(1 − terminated)·V(s′) − Q(s, a).

    Args:
        reward: Rewards of the steps, `(B,)`.
        next_value: V(s′), `(B,)`.
        value: Q(s, a), `(B,)`.
        terminated: Whether the MDP ended at the step, bool `(B,)`.
        gamma: Discount factor γ.
    """
    return reward + gamma * next_value.masked_fill(terminated, 0.0) - value


def standardized(values: Tensor) -> Tensor:
    """Shift and scale a batch `(B,)` to mean 0 and deviation 1, the deviation of the batch itself."""
    std, mean = torch.std_mean(values, correction=0)
    return (values - mean) / (std + SMALLEST_SPREAD)


def adversarial_loss(log_prob: Tensor, weight: Tensor) -> Tensor:
    """The batch mean of weight · log P, whose gradient is that of the policy's value; a scalar.

    RAMBO's release adds the vector weight · log P to the supervised loss, a scalar, and descends the sum over
    the batch. That is the gradient of this mean plus the supervised loss, times the batch size, which Adam
    takes out again. A sum in place of the mean would multiply λ by the batch size.

    Args:
        log_prob: Log-probability of each step under the model, `(B,)`, with gradients.
        weight: Standardised advantages, `(B,)`; taken as constants.
    """
    return (weight.detach() * log_prob).mean()
