"""`optimise`: iLQR, backward and forward passes in turn, with the schedule of the regularisation."""

from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.planning.ilqr.backward_pass import Changes, backward_pass
from offline_envs.planning.ilqr.derivatives import Derivatives, derivatives
from offline_envs.planning.ilqr.forward_pass import forward_pass
from offline_envs.planning.problem import Problem, Trajectory

LEAST_DAMPING, MOST_DAMPING, FACTOR = 1e-6, 1e10, 2.0
"""μ_min, μ_max and Δ₀ of Tassa et al. 2012: below the least, μ is 0, and above the most, a row stays."""


class Damping(NamedTuple):
    """The regularisation of each row, which grows and falls ever faster."""

    amount: Tensor  # μ, (B,)
    factor: Tensor  # Δ, (B,)

    def adjusted(self, more: Tensor, less: Tensor) -> "Damping":
        """Raise μ in some rows, bool `(B,)`, and lower it in others (Tassa et al. 2012)."""
        up = (self.factor * FACTOR).clamp(min=FACTOR)
        down = (self.factor / FACTOR).clamp(max=1 / FACTOR)
        raised = (self.amount * up).clamp(min=LEAST_DAMPING)
        lowered = self.amount * down
        lowered = torch.where(lowered < LEAST_DAMPING, 0.0, lowered)
        return Damping(
            torch.where(more, raised, torch.where(less, lowered, self.amount)),
            torch.where(more, up, torch.where(less, down, self.factor)),
        )


def optimise(
    problem: Problem,
    trajectory: Trajectory,
    *,
    iterations: int = 100,
    tolerance: float = 1e-6,
    damping: float = 1.0,
) -> Trajectory:
    """Improve trajectories until they are locally optimal: iLQR with regularisation and line search.

    Tassa, Erez and Todorov 2012. Rows are independent of each other; the value of none ever falls.

    Args:
        problem: What is maximised.
        trajectory: Where it begins, B rows, as `roll_out` gives it.
        iterations: Pairs of backward and forward passes, at most.
        tolerance: A row is finished once its value rises by less than this share of itself, or of 1 if its
            value is smaller.
        damping: μ of the first backward pass.
    """
    amount = torch.full_like(trajectory.obs[0, :, 0], damping)
    state = Damping(amount, torch.ones_like(amount))
    finished = torch.zeros(len(amount), dtype=torch.bool, device=amount.device)
    for _ in range(iterations):
        found = derivatives(problem, trajectory)
        changes, state = _definite(problem, trajectory, found, state)
        searched = forward_pass(problem, trajectory, changes)
        rise = searched.trajectory.value - trajectory.value
        small = rise <= tolerance * trajectory.value.abs().clamp(min=1.0)
        trajectory = searched.trajectory
        stuck = ~searched.improved
        state = state.adjusted(more=stuck, less=searched.improved)
        finished = finished | (searched.improved & small) | (stuck & (state.amount > MOST_DAMPING))
        finished = finished | (stuck & _nothing_expected(changes, trajectory, tolerance))
        if finished.all():
            break
    return trajectory


def _definite(
    problem: Problem, trajectory: Trajectory, found: Derivatives, state: Damping
) -> tuple[Changes, Damping]:
    """The changes of the first μ with which each Q_uu is positive definite, row by row."""
    while True:
        changes = backward_pass(problem, trajectory, found, state.amount)
        again = ~changes.valid & (state.amount <= MOST_DAMPING)
        if not again.any():
            return changes, state
        state = state.adjusted(more=again, less=torch.zeros_like(again))


def _nothing_expected(changes: Changes, trajectory: Trajectory, tolerance: float) -> Tensor:
    """Rows at a minimum of the quadratic model, which no damping would improve."""
    expected = -(changes.linear + changes.quadratic)
    return changes.valid & (expected <= tolerance * trajectory.value.abs().clamp(min=1.0))
