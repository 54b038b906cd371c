"""`derivatives`: the model along a trajectory, linear in its steps and quadratic in its costs."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.planning.problem import Problem, Trajectory

ROWS = 8192
"""Rows that autograd holds the intermediate results of at a time."""


class Derivatives(NamedTuple):
    """Derivatives of steps and costs, −γ^t r, at H steps of B rows; p = d + k, observation first.

    Where nothing is earned any more, or a derivative is not a finite number, all of a step's are zero.
    """

    step: Tensor  # (H, B, d, p), of the next observation
    slope: Tensor  # (H, B, p), of the cost
    curvature: Tensor  # (H, B, p, p), of the cost, positive semi-definite
    stop_slope: Tensor  # (B, d), of −γ^T V where the trajectory stops
    stop_curvature: Tensor  # (B, d, d), positive semi-definite


def derivatives(problem: Problem, trajectory: Trajectory) -> Derivatives:
    """Differentiate the model along a trajectory, by autograd.

    Todorov and Li 2005 (iLQR): of the dynamics the second derivatives are left out, of the costs they are
    exact. A reward is a general function, so its curvature may have the wrong sign; it is projected onto
    positive semi-definite matrices, by which Q_uu is positive definite for any regularisation μ > 0 and every
    step of the line search has a direction of descent. For a concave reward the projection changes nothing.
    """
    horizon, n_rows, obs_dim = trajectory.obs.shape
    inputs = torch.cat([trajectory.obs, trajectory.action], dim=-1).flatten(0, 1)
    n_inputs = inputs.shape[1]
    chunks = torch.split(inputs, max(1, ROWS // n_inputs))
    parts = [_of_steps(problem, part, obs_dim) for part in chunks]
    step, slope, curvature = (torch.cat(part) for part in zip(*parts, strict=True))
    time = torch.arange(horizon, device=inputs.device)[:, None].expand(-1, n_rows)
    finite = step.isfinite().flatten(1).all(1) & curvature.isfinite().flatten(1).all(1)
    counts = finite & slope.isfinite().all(1) & (time < trajectory.length).flatten()
    weight = torch.where(counts, problem.discount ** time.flatten().to(inputs.dtype), 0.0)
    step = torch.where(counts[:, None, None], step, 0.0)
    slope = torch.where(counts[:, None], -slope * weight[:, None], 0.0)
    curvature = torch.where(counts[:, None, None], -curvature * weight[:, None, None], 0.0)
    each = (step, slope, convex(curvature))
    step, slope, curvature = (part.reshape(horizon, n_rows, *part.shape[1:]) for part in each)
    return Derivatives(step, slope, curvature, *_of_stop(problem, trajectory))


def convex(curvature: Tensor) -> Tensor:
    """The positive semi-definite matrices nearest to symmetric ones, `(N, p, p)`, in Frobenius' norm."""
    values, vectors = torch.linalg.eigh((curvature + curvature.mT) / 2)
    projected: Tensor = (vectors * values.clamp(min=0)[:, None]) @ vectors.mT
    return projected


def _of_steps(problem: Problem, inputs: Tensor, obs_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives of next observation and reward, and second ones of the reward, at `(N, p)`."""

    def reward_and_next(copies: Tensor) -> tuple[Tensor, Tensor]:
        found = problem.model(copies[:, :obs_dim], copies[:, obs_dim:])
        return found.reward, found.next_obs

    slope, curvature, step = _differentiated(reward_and_next, inputs)
    return step, slope, curvature


def _of_stop(problem: Problem, trajectory: Trajectory) -> tuple[Tensor, Tensor]:
    n_rows, obs_dim = trajectory.stop.shape
    value = problem.terminal_value
    if value is None:
        zero = trajectory.stop.new_zeros(n_rows, obs_dim, obs_dim)
        return zero[:, 0], zero
    weight = problem.discount ** trajectory.length.to(trajectory.stop.dtype)
    slope, curvature, _ = _differentiated(lambda obs: (value(obs), obs[:, :0]), trajectory.stop)
    finite = slope.isfinite().all(1) & curvature.isfinite().flatten(1).all(1)
    weight = torch.where(trajectory.valued & finite, weight, 0.0)
    slope = torch.where(finite[:, None], -slope * weight[:, None], 0.0)
    curvature = torch.where(finite[:, None, None], -curvature * weight[:, None, None], 0.0)
    return slope, convex(curvature)


def _differentiated(
    function: Callable[[Tensor], tuple[Tensor, Tensor]], inputs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient `(N, p)` and second derivatives `(N, p, p)` of a scalar, and derivatives of a vector.

    Each row is copied p times, and copy j gives the derivatives of component j, all in one pass back. This
    needs nothing of the function but that autograd follows it.

    Args:
        function: From `(M, p)` to a scalar a row, `(M,)`, and at most p others, `(M, d)`.
        inputs: `(N, p)`.
    """
    n, p = inputs.shape
    copies = inputs.detach().expand(p, n, p).reshape(p * n, p).requires_grad_()
    chosen = torch.eye(p, dtype=inputs.dtype, device=inputs.device).repeat_interleave(n, dim=0)
    with torch.enable_grad():
        scalar, vector = function(copies)
        slope = _gradient(scalar.sum(), copies, again=True)
        second = _gradient((slope * chosen).sum(), copies)
        first = _gradient((vector * chosen[:, : vector.shape[1]]).sum(), copies)
    curvature, of_vector = (found.detach().view(p, n, p).transpose(0, 1) for found in (second, first))
    return slope[:n].detach(), curvature, of_vector[:, : vector.shape[1]]


def _gradient(output: Tensor, inputs: Tensor, *, again: bool = False) -> Tensor:
    """The gradient of a sum, zero where it does not depend on the inputs."""
    if not output.requires_grad:
        return torch.zeros_like(inputs)
    (found,) = torch.autograd.grad(
        output, inputs, retain_graph=True, create_graph=again, allow_unused=True, materialize_grads=True
    )
    return found
