"""`forward_pass`: the line search, all step sizes at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.planning.ilqr.backward_pass import Changes
from offline_envs.planning.problem import Problem, Trajectory, roll_out

STEP_SIZES = tuple(1.1 ** -(i**2) for i in range(10))
"""Step sizes α in the order in which they are tried: 1, 0.91, 0.68, 0.42, ... 0.0004."""

LEAST_SHARE = 1e-4
"""Share of the expected improvement that an accepted step attains (c₁ of Tassa et al. 2012)."""


class Searched(NamedTuple):
    """What a line search found."""

    trajectory: Trajectory  # of the first step size that was accepted, else the one before
    improved: Tensor  # (B,), bool: whether one was accepted


def forward_pass(problem: Problem, trajectory: Trajectory, changes: Changes) -> Searched:
    """Follow the changed plans through the model, and take each row's largest step size that improves it.

    Backtracking, but the step sizes are followed together, as rows of one batch: a model step costs little
    more for ten rows than for one. A step is accepted if it attains a share of what the quadratic model
    expects. A trajectory in which a prediction is rejected is worth `LOST`, so it is never accepted.

    Args:
        problem: What is maximised.
        trajectory: The trajectory that is improved, B rows.
        changes: Where `backward_pass` wants to go.
    """
    horizon, n_rows, _ = trajectory.obs.shape
    sizes = torch.tensor(STEP_SIZES, dtype=trajectory.obs.dtype, device=trajectory.obs.device)
    n_sizes = len(sizes)
    every = torch.arange(n_rows, device=sizes.device).repeat(n_sizes)
    size = sizes.repeat_interleave(n_rows)[:, None]
    before = trajectory.rows(every)

    def act(t: int, obs: Tensor) -> Tensor:
        away = (obs - before.obs[t])[..., None]
        answer = (changes.feedback[t, every] @ away)[..., 0]
        return before.action[t] + size * changes.feedforward[t, every] + answer

    tried = roll_out(problem, before.obs[0], act, horizon)
    gain = (tried.value - before.value).view(n_sizes, n_rows)
    expected = -(sizes[:, None] * changes.linear + sizes[:, None] ** 2 * changes.quadratic)
    accepted = (gain > LEAST_SHARE * expected.clamp(min=0)) & (gain > 0)
    first = accepted.to(torch.int8).argmax(dim=0)
    improved = accepted.any(dim=0)
    found = tried.rows(first * n_rows + torch.arange(n_rows, device=first.device))
    return Searched(either(improved, found, trajectory), improved)


def either(choose: Tensor, first: Trajectory, second: Trajectory) -> Trajectory:
    """The rows of the first trajectory where `choose`, bool `(B,)`, says so, else those of the second."""

    def mixed(name: str) -> Tensor:
        ours, theirs = getattr(first, name), getattr(second, name)
        at = 1 if name in ("obs", "action") else 0  # the axis of the rows
        shape = [1] * ours.ndim
        shape[at] = len(choose)
        return torch.where(choose.view(shape), ours, theirs)

    return Trajectory(*map(mixed, Trajectory._fields))
