"""`Kernel`: the squared-exponential covariance of each output, and its noise."""

from typing import NamedTuple

import torch
from torch import Tensor


class Kernel(NamedTuple):
    """Hyperparameters of D independent Gaussian processes over inputs of size q, in standardised units.

    Squared exponential with a length scale an input ("ARD"), k(x, z) = s² exp(−½ Σ_i (x_i − z_i)²/ℓ_i²),
    plus noise of variance σ². Rasmussen and Williams 2006, section 5.1.
    """

    length_scales: Tensor  # ℓ, float64 (D, q)
    variance: Tensor  # s², float64 (D,)
    noise: Tensor  # σ², float64 (D,)

    def covariance(self, x: Tensor, z: Tensor) -> Tensor:
        """Covariance of the outputs without noise, k(x, z).

        Args:
            x: Inputs, float64 `(n, q)`, or `(D, n, q)` for each output.
            z: Inputs, float64 `(m, q)`, or `(D, m, q)`.

        Returns:
            float64 `(D, n, m)`.
        """
        scales = self.length_scales[:, None]
        x, z = x / scales, z / scales
        norms = x.square().sum(dim=-1, keepdim=True) + z.square().sum(dim=-1)[:, None]
        distance = torch.baddbmm(norms, x, z.mT, alpha=-2).clamp_(min=0)
        return distance.mul_(-0.5).exp_().mul_(self.variance[:, None, None])
