"""`box_qp`: quadratic programs within a box, many small ones at once, by projected Newton steps."""

import torch
from torch import Tensor

MOST_STEPS = 100
"""Newton steps at most; a handful is enough unless the curvature is close to singular."""

DECREASE = 0.1
"""Share of the decrease along the gradient that a step must attain (Armijo's rule)."""

SIZES = 0.6 ** torch.arange(20.0)
"""Step sizes that are tried, from the whole Newton step on."""


def box_qp(curvature: Tensor, slope: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Minimise ½ xᵀHx + gᵀx for low ≤ x ≤ high.

    Projected Newton: dimensions that stick to a bound against which the slope pushes are held, the others
    take a Newton step that is clipped to the box (Bertsekas 1982; Tassa, Mansard and Todorov 2014).

    Args:
        curvature: H, symmetric and positive definite, `(B, k, k)`.
        slope: g, `(B, k)`.
        low: Lower bounds, `(B, k)`, not above `high`.
        high: Upper bounds.

    Returns:
        The minimiser x, `(B, k)`, and which dimensions are free, not held by a bound, bool `(B, k)`.
    """
    x = torch.zeros_like(slope).clamp(low, high)
    sizes = SIZES.to(slope)[:, None, None]
    tolerance = 10 * torch.finfo(slope.dtype).eps
    for _ in range(MOST_STEPS):
        gradient = slope + times(curvature, x)
        free = _free(x, gradient, low, high)
        newton = -_solve(curvature, torch.where(free, gradient, 0.0), free)
        if not (newton.abs() > tolerance * (1 + x.abs())).any():
            break
        tried = (x + sizes * newton).clamp(low, high)
        decrease = -(gradient * (tried - x)).sum(-1) * DECREASE
        gain = _worth(curvature, slope, x) - _worth(curvature, slope, tried)
        good = gain >= decrease
        first = good.to(torch.int8).argmax(dim=0)
        step = tried.gather(0, first[None, :, None].expand(1, *x.shape))[0]
        moved = good.any(dim=0)[:, None] & (step != x)
        if not moved.any():
            break
        x = torch.where(moved, step, x)
    return x, _free(x, slope + times(curvature, x), low, high)


def free_inverse(curvature: Tensor, free: Tensor, right: Tensor) -> Tensor:
    """H_ff⁻¹ right_f on the free dimensions, and zero on those that are held.

    Args:
        curvature: H, `(B, k, k)`.
        free: Which dimensions are free, bool `(B, k)`.
        right: Right sides, `(B, k, n)`.
    """
    identity = torch.eye(curvature.shape[-1], dtype=curvature.dtype, device=curvature.device)
    both = free[:, :, None] & free[:, None, :]
    factor = torch.linalg.cholesky(torch.where(both, curvature, identity))
    return torch.cholesky_solve(torch.where(free[..., None], right, 0.0), factor)


def times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Products of matrices `(..., m, n)` and vectors `(..., n)`, `(..., m)`."""
    return (matrix @ vector[..., None])[..., 0]


def _solve(curvature: Tensor, right: Tensor, free: Tensor) -> Tensor:
    return free_inverse(curvature, free, right[..., None])[..., 0]


def _free(x: Tensor, gradient: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return ~((x <= low) & (gradient > 0) | (x >= high) & (gradient < 0))


def _worth(curvature: Tensor, slope: Tensor, x: Tensor) -> Tensor:
    return (x * (slope + times(curvature, x) / 2)).sum(-1)
