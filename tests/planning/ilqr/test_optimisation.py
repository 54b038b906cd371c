"""iLQR against Riccati's closed form, on a pendulum, within bounds, and where the model ends or explodes."""

import math

import pytest
import torch
from torch import Tensor

from offline_envs.planning.ilqr.optimisation import LEAST_DAMPING, Damping, optimise
from offline_envs.planning.objective import LOST
from offline_envs.planning.problem import Imagined, Problem, Trajectory, roll_out
from tests.planning.quadratic import quadratic, starts

HORIZON = 12


def still(problem: Problem, obs: Tensor, horizon: int = HORIZON) -> Trajectory:
    """The trajectory of actions of zero."""
    return roll_out(problem, obs, lambda t, obs: obs.new_zeros(len(obs), len(problem.low)), horizon)


def test_a_linear_quadratic_problem_is_solved_in_one_step() -> None:
    """Without damping, the first backward pass is Riccati's recursion, and the whole step is taken."""
    case = quadratic()
    found = optimise(case.problem(), still(case.problem(), starts()), iterations=1, damping=0.0)
    torch.testing.assert_close(found.action.transpose(0, 1), case.plan(starts(), HORIZON), atol=1e-6, rtol=0)
    best = -(starts() @ case.solution(HORIZON)[0] * starts()).sum(-1)
    torch.testing.assert_close(found.value, best, atol=1e-6, rtol=0)


def test_damping_falls_so_that_the_closed_form_is_reached() -> None:
    case = quadratic(discount=1.0)
    found = optimise(case.problem(), still(case.problem(), starts()), tolerance=1e-12)
    torch.testing.assert_close(found.action.transpose(0, 1), case.plan(starts(), HORIZON), atol=1e-6, rtol=0)


def test_rows_are_optimised_as_each_alone() -> None:
    case = quadratic()
    together = optimise(case.problem(), still(case.problem(), starts()), iterations=3)
    alone = [optimise(case.problem(), still(case.problem(), row[None]), iterations=3) for row in starts()]
    torch.testing.assert_close(together.action, torch.cat([row.action for row in alone], dim=1))


def test_bounds_hold_and_the_optimum_on_them_is_found() -> None:
    """With one step the problem is a quadratic program: compare with a fine grid of actions."""
    case = quadratic()
    problem = case.problem(bound=0.2)
    found = optimise(problem, still(problem, starts(), 1), tolerance=0.0)
    side = torch.linspace(-0.2, 0.2, 201, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    for i, row in enumerate(starts()):
        values = roll_out(problem, row.expand(len(grid), -1), lambda t, _: grid, 1).value
        assert found.value[i] >= values.max() - 1e-9
        torch.testing.assert_close(found.action[0, i], grid[values.argmax()], atol=2e-3, rtol=0)
    longer = optimise(problem, still(problem, starts()))
    assert longer.action.abs().max() == 0.2
    assert (longer.value > still(problem, starts()).value).all()


def pendulum(obs: Tensor, action: Tensor) -> Imagined:
    """Angle from the top and speed, a torque too weak to lift it at once: ω' = ω + 0.1 (sin θ + a/2)."""
    angle, speed = obs.unbind(-1)
    speed = speed + 0.1 * (torch.sin(angle) + action[:, 0] / 2)
    after = torch.stack([angle + 0.1 * speed, speed], dim=-1)
    reward = torch.cos(angle) - 0.05 * speed**2 - 0.01 * action[:, 0] ** 2
    no = torch.zeros(len(obs), dtype=torch.bool)
    return Imagined(reward, after, no, no, no)


def test_the_return_of_a_pendulum_rises_with_every_iteration() -> None:
    """Its reward is not concave and its dynamics are not linear, so projection and line search count."""
    high = torch.ones(1, dtype=torch.float64)
    problem = Problem(pendulum, -high, high)
    obs = torch.tensor([[math.pi, 0.0], [1.0, 0.0]], dtype=torch.float64)
    trajectory = roll_out(problem, obs, lambda t, obs: obs.new_full((len(obs), 1), 0.1), 60)
    values = [trajectory.value]
    for _ in range(15):
        trajectory = optimise(problem, trajectory, iterations=1)
        values.append(trajectory.value)
    course = torch.stack(values)
    assert (course.diff(dim=0) >= 0).all()
    assert (course[-1] > course[0] + 10).all()
    assert trajectory.action.abs().max() <= 1


def explosive(obs: Tensor, action: Tensor) -> Imagined:
    """Beyond 1 the prediction is rejected and says nothing; below, r = s'."""
    after = obs + action
    lost = after[:, 0] > 1
    nan = torch.where(lost, torch.nan, after[:, 0])
    return Imagined(nan, nan[:, None], lost, torch.zeros_like(lost), lost)


def test_plans_stay_finite_and_away_from_what_explodes() -> None:
    high = torch.ones(1, dtype=torch.float64)
    problem = Problem(explosive, -high, high)
    begun = still(problem, torch.zeros(1, 1, dtype=torch.float64), 3)
    found = optimise(problem, begun)
    assert found.action.isfinite().all()
    assert begun.value.item() == 0 < found.value.item() <= 3


def test_a_plan_that_explodes_whatever_is_done_is_left_as_it_is() -> None:
    high = torch.ones(1, dtype=torch.float64)
    problem = Problem(explosive, -high, high)
    begun = still(problem, torch.full((1, 1), 5.0, dtype=torch.float64), 3)
    found = optimise(problem, begun, iterations=5)
    assert torch.equal(found.action, begun.action)
    assert found.value.item() == LOST


def ending(obs: Tensor, action: Tensor) -> Imagined:
    """Each step earns 1 + a/10, and the episode ends beyond 1."""
    after = obs + action
    no = torch.zeros(len(obs), dtype=torch.bool)
    return Imagined(1 + action[:, 0] / 10, after, after[:, 0] > 1, no, no)


def test_an_earlier_end_is_not_taken_for_what_a_step_earns_more() -> None:
    """To move on at once earns 0.1 a step more and ends; the gradient alone would go there."""
    high = torch.ones(1, dtype=torch.float64)
    problem = Problem(ending, -high, high)
    begun = still(problem, torch.zeros(1, 1, dtype=torch.float64), 5)
    found = optimise(problem, begun)
    assert found.length.item() == 5
    assert found.value > begun.value


def test_damping_grows_and_falls_ever_faster() -> None:
    """By hand, from Tassa et al. 2012 with Δ₀ = 2."""
    yes, no = torch.tensor([True]), torch.tensor([False])
    state = Damping(torch.zeros(1), torch.ones(1)).adjusted(yes, no)
    assert state.amount.item() == pytest.approx(LEAST_DAMPING)
    assert [float(part) for part in state.adjusted(yes, no)] == pytest.approx([4 * LEAST_DAMPING, 4.0])
    state = Damping(torch.ones(1), torch.ones(1)).adjusted(no, yes)
    assert [float(part) for part in state] == [0.5, 0.5]
    assert [float(part) for part in state.adjusted(no, yes)] == [0.125, 0.25]
    assert [float(part) for part in state.adjusted(yes, no)] == [1.0, 2.0]
    assert [float(part) for part in state.adjusted(no, no)] == [0.5, 0.5]
    assert Damping(torch.tensor([LEAST_DAMPING]), torch.ones(1)).adjusted(no, yes).amount.item() == 0
