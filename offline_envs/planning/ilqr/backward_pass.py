"""`backward_pass`: from derivatives along a trajectory to the changes of its actions that promise most."""

from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.planning.ilqr.box_qp import box_qp, free_inverse, times
from offline_envs.planning.ilqr.derivatives import Derivatives
from offline_envs.planning.problem import Problem, Trajectory

RIDGE = 1e-9
"""Least curvature of an action, so that one without any effect stays where it is."""


class Changes(NamedTuple):
    """A better plan, up to a step size α: u_t + α k_t + K_t (x − x_t).

    The change of cost that is expected is α·linear + α²·quadratic.
    """

    feedforward: Tensor  # (H, B, k), k_t
    feedback: Tensor  # (H, B, k, d), K_t
    linear: Tensor  # (B,), Σ k_tᵀ Q_u, at most 0
    quadratic: Tensor  # (B,), ½ Σ k_tᵀ Q_uu k_t
    valid: Tensor  # (B,), bool: whether each Q_uu was positive definite; else all of a row is zero


class Expansion(NamedTuple):
    """Quadratic expansion of the cost to come in (x, u) at a step, `(B, ...)` each."""

    x: Tensor  # (B, d)
    u: Tensor  # (B, k)
    xx: Tensor  # (B, d, d)
    ux: Tensor  # (B, k, d)
    uu: Tensor  # (B, k, k)


def backward_pass(problem: Problem, trajectory: Trajectory, found: Derivatives, damping: Tensor) -> Changes:
    """Minimise the cost's quadratic model step by step, from the last step to the first.

    Tassa, Erez and Todorov 2012: with μ, the derivatives of Q that choose actions are those of V_xx + μI, a
    penalty on leaving the states of the trajectory, while values are updated by those without. Limits of the
    actions are those of Tassa, Mansard and Todorov 2014: k_t minimises within the box, and dimensions that it
    holds at a bound get no feedback.

    Args:
        problem: What is maximised; its bounds count here.
        trajectory: The trajectory that is improved, B rows.
        found: The derivatives along it.
        damping: μ of each row, at least 0, `(B,)`.
    """
    horizon, n_rows, _ = trajectory.obs.shape
    value_x, value_xx = torch.zeros_like(found.stop_slope), torch.zeros_like(found.stop_curvature)
    gains = []
    linear = quadratic = trajectory.obs.new_zeros(n_rows)
    valid = torch.ones(n_rows, dtype=torch.bool, device=linear.device)
    for t in reversed(range(horizon)):
        stops = trajectory.length == t + 1
        value_x = torch.where(stops[:, None], found.stop_slope, value_x)
        value_xx = torch.where(stops[:, None, None], found.stop_curvature, value_xx)
        costs = (found.step[t], found.slope[t], found.curvature[t])
        q = expansion(*costs, value_x, value_xx)
        chosen = expansion(*costs, value_x, value_xx + damping[:, None, None] * _identity(value_xx))
        action = trajectory.action[t]
        definite, k, feedback = _best_change(chosen, problem.low - action, problem.high - action)
        valid = valid & definite
        quu_k = times(q.uu, k)
        linear = linear + (k * q.u).sum(-1)
        quadratic = quadratic + (k * quu_k).sum(-1) / 2
        value_x = q.x + times(feedback.mT, quu_k + q.u) + times(q.ux.mT, k)
        value_xx = q.xx + feedback.mT @ q.uu @ feedback + feedback.mT @ q.ux + q.ux.mT @ feedback
        value_xx = (value_xx + value_xx.mT) / 2
        gains.append((k, feedback))
    forward, back = (torch.stack(part[::-1]) for part in zip(*gains, strict=True))
    row = valid[None, :, None]
    forward, back = torch.where(row, forward, 0.0), torch.where(row[..., None], back, 0.0)
    return Changes(forward, back, linear, quadratic, valid)


def expansion(step: Tensor, slope: Tensor, curvature: Tensor, value_x: Tensor, value_xx: Tensor) -> Expansion:
    """The cost of a step and of what follows it, V, to second order (Tassa et al. 2012).

    Args:
        step: Derivatives of the next observation, `(B, d, p)`.
        slope: Gradient of the step's cost, `(B, p)`.
        curvature: Its second derivatives, `(B, p, p)`.
        value_x: V_x, `(B, d)`.
        value_xx: V_xx, `(B, d, d)`.
    """
    d = value_x.shape[-1]
    first = slope + times(step.mT, value_x)
    second = curvature + step.mT @ value_xx @ step
    return Expansion(first[:, :d], first[:, d:], second[:, :d, :d], second[:, d:, :d], second[:, d:, d:])


def _best_change(q: Expansion, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether Q_uu is positive definite, `(B,)`, and k `(B, k)` and K `(B, k, d)`, zeros where it is not."""
    identity = _identity(q.uu)
    curvature = (q.uu + q.uu.mT) / 2 + RIDGE * identity
    definite = torch.linalg.cholesky_ex(curvature).info == 0
    definite = definite & curvature.isfinite().flatten(1).all(1) & q.u.isfinite().all(1)
    curvature = torch.where(definite[:, None, None], curvature, identity)
    k, free = box_qp(curvature, torch.where(definite[:, None], q.u, 0.0), low, high)
    feedback = -free_inverse(curvature, free, q.ux)
    return definite, k, torch.where(definite[:, None, None], feedback, 0.0)


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
