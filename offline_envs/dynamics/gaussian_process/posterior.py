"""`Posterior`: what Gaussian processes know about their outputs after seeing rows, exact or sparse."""

from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.dynamics.gaussian_process.kernel import Kernel

JITTER = 1e-8
"""Share of the variance that is added to the diagonal of the inducing points' covariance."""

CHUNK = 2048
"""Rows that a sparse posterior takes in together."""


class Posterior(NamedTuple):
    """The posterior of D independent processes: mean k(x)·α and variance s² − ‖R k(x)‖², k(x) = k(points, x).

    Exact and sparse processes differ only in what points, α and R are.
    """

    kernel: Kernel
    points: Tensor  # float64 (D, m, q), or (1, m, q) if the outputs share them
    weights: Tensor  # α, float64 (D, m)
    root: Tensor  # R, float64 (D, m, m)

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the outputs without noise.

        Args:
            inputs: Standardised inputs, float64 `(B, q)`.

        Returns:
            Both float64 `(D, B)`.
        """
        covariance = self.kernel.covariance(self.points, inputs)
        mean = torch.bmm(self.weights[:, None], covariance)[:, 0]
        known = torch.bmm(self.root, covariance).square_().sum(dim=1)
        return mean, (self.kernel.variance[:, None] - known).clamp_(min=0)


def exact_posterior(kernel: Kernel, inputs: Tensor, targets: Tensor) -> Posterior:
    """Condition on rows: α = (K + σ²I)⁻¹ y, RᵀR = (K + σ²I)⁻¹; Rasmussen and Williams 2006, algorithm 2.1.

    Args:
        kernel: Hyperparameters of D processes.
        inputs: Standardised inputs, float64 `(n, q)`.
        targets: Standardised outputs, float64 `(n, D)`.
    """
    root = exact_root(kernel, inputs[None])
    weights = torch.bmm(root.mT, torch.bmm(root, targets.T[..., None]))[..., 0]
    return Posterior(kernel, inputs[None], weights, root)


def exact_root(kernel: Kernel, points: Tensor) -> Tensor:
    """R = L⁻¹ with L Lᵀ = K + σ²I, float64 `(D, m, m)`, for points `(1, m, q)`."""
    covariance = kernel.covariance(points, points)
    covariance.diagonal(dim1=1, dim2=2).add_(kernel.noise[:, None])
    return _inverse(torch.linalg.cholesky(covariance))


def sparse_posterior(kernel: Kernel, inputs: Tensor, targets: Tensor, points: Tensor) -> Posterior:
    """Condition inducing points on rows, by the variational optimum of Titsias 2009, equation 6.

    With K_uu = L Lᵀ and A = L⁻¹ K_uf / σ, it has α = L⁻ᵀ (I + AAᵀ)⁻¹ A y / σ and
    RᵀR = L⁻ᵀ (I − (I + AAᵀ)⁻¹) L⁻¹. The rows are taken in chunks.

    Args:
        kernel: Hyperparameters of D processes.
        inputs: Standardised inputs, float32 or float64 `(n, q)`.
        targets: Standardised outputs `(n, D)`.
        points: Inducing points of each process, float64 `(D, m, q)`.
    """
    covariance = kernel.covariance(points, points)
    covariance.diagonal(dim1=1, dim2=2).add_(JITTER * kernel.variance[:, None])
    inverse = _inverse(torch.linalg.cholesky(covariance))
    scale = kernel.noise.rsqrt()[:, None, None]
    gram, moment = torch.zeros_like(covariance), torch.zeros_like(points[..., :1])
    for x, y in zip(torch.split(inputs, CHUNK), torch.split(targets, CHUNK), strict=True):
        part = torch.bmm(inverse, kernel.covariance(points, x.double())).mul_(scale)  # A, (D, m, chunk)
        gram.baddbmm_(part, part.mT)
        moment.baddbmm_(part, y.double().T[..., None] * scale)
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp_(min=0)[..., None]
    turned = torch.bmm(vectors.mT, inverse)  # Vᵀ L⁻¹
    weights = torch.bmm(turned.mT, torch.bmm(vectors.mT, moment) / (1 + values))[..., 0]
    return Posterior(kernel, points, weights, (values / (1 + values)).sqrt() * turned)


def _inverse(lower: Tensor) -> Tensor:
    identity = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
    inverse: Tensor = torch.linalg.solve_triangular(lower, identity.expand_as(lower), upper=False)
    return inverse
