"""`scale_variances`: an ensemble's variances made as large as the errors that a holdout shows."""

import torch
from torch import Tensor

from offline_envs.dynamics.ensemble import EnsembleDynamics


@torch.no_grad()
def scale_variances(ensemble: EnsembleDynamics, inputs: Tensor, targets: Tensor) -> Tensor:
    """Multiply the variances of each output by the factor of highest likelihood, in place.

    The factor is the mean of (y − μ)²/σ² over members and rows (Laves et al. 2020, σ scaling; Levi et al.
    2022), one an output. A long fit learns its training rows so well that it promises more precision than
    others have. Means stay as they are, and so does an output without any error, for which no variance is
    most likely.

    Args:
        ensemble: Probabilistic members.
        inputs: Standardised (obs, action) that no member was trained on, `(1, B, d + k)`.
        targets: Their (reward, next_obs − obs), `(1, B, 1 + d)`.

    Returns:
        The factors, `(1 + d,)`.
    """
    mean, logvar = ensemble(inputs.expand(ensemble.n_members, -1, -1))
    ratios = ((mean - targets).square() * torch.exp(-logvar)).mean(dim=(0, 1))
    factors = torch.where(ratios > 0, ratios, 1.0)
    ensemble.shift_logvar(factors.log())
    return factors
