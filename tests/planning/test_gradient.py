from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning import GradientPlanner, GradientSettings, climb, roll_out
from offline_envs.planning.objective import LOST
from tests.planning.ilqr.test_optimisation import explosive
from tests.planning.quadratic import quadratic, starts
from tests.planning.worlds import SPACE, world

HORIZON = 6


def zeros(n: int = 4) -> Tensor:
    return torch.zeros(n, HORIZON, 2, dtype=torch.float64)


def test_the_closed_form_of_a_linear_quadratic_problem_is_reached() -> None:
    case = quadratic(discount=0.5)
    plans, value = climb(case.problem(bound=20.0), starts(), zeros(), steps=600, learning_rate=0.03)
    torch.testing.assert_close(plans, case.plan(starts(), HORIZON), atol=1e-4, rtol=0)
    best = -(starts() @ case.solution(HORIZON)[0] * starts()).sum(-1)
    torch.testing.assert_close(value, best, atol=1e-6, rtol=0)


def test_an_optimum_on_the_bounds_is_reached() -> None:
    """One step with bounds of 0.1: the quadratic program, by a fine grid of actions."""
    problem = quadratic().problem(bound=0.1)
    plans, value = climb(problem, starts(), zeros()[:, :1], steps=200, learning_rate=0.1)
    side = torch.linspace(-0.1, 0.1, 101, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    for i, row in enumerate(starts()):
        values = roll_out(problem, row.expand(len(grid), -1), lambda t, _: grid, 1).value
        assert value[i] >= values.max() - 1e-6
    assert (plans.abs() == 0.1).any()


def test_the_best_plan_that_was_seen_is_kept() -> None:
    """A step of Adam from the optimum itself leads away."""
    case = quadratic()
    optimum = case.plan(starts(), HORIZON)
    plans, value = climb(case.problem(bound=20.0), starts(), optimum, steps=1, learning_rate=0.5)
    torch.testing.assert_close(plans, optimum)
    torch.testing.assert_close(value, -(starts() @ case.solution(HORIZON)[0] * starts()).sum(-1))


def test_a_plan_that_explodes_stays_finite() -> None:
    problem = replace(quadratic().problem(bound=1.0), model=explosive, terminal_value=None)
    problem = replace(problem, low=problem.low[:1], high=problem.high[:1])
    obs = torch.tensor([[5.0], [0.0]], dtype=torch.float64)
    plans, value = climb(problem, obs, zeros(2)[..., :1], steps=20, learning_rate=0.1)
    assert plans.isfinite().all()
    assert value[0].item() == LOST
    assert value[1].item() > 0


def planner(**settings: Any) -> GradientPlanner:
    chosen = {"horizon": 4, "candidates": 3, "steps": 60, **settings}
    return GradientPlanner(world(), SPACE, GradientSettings(**chosen))


def test_the_planner_goes_back_to_the_middle_of_the_line() -> None:
    """From 0.5, r = −s'² is best for −0.5 at once, from 2.5 for −1 twice, from −3 for 1."""
    actions, state = planner().predict(np.array([[0.5], [2.5], [-3.0]]))
    np.testing.assert_allclose(actions[:, 0], [-0.5, -1.0, 1.0], atol=0.02)
    np.testing.assert_allclose(state[1, 0, :3, 0], [-1.0, -1.0, -0.5], atol=0.05)


def test_a_warm_start_is_the_first_candidate() -> None:
    """With a single candidate and hardly a step, what was planned before is what is done now."""
    still = planner(candidates=1, steps=1, learning_rate=1e-9)
    memory = torch.tensor([0.9, -0.5, 0.25, 0.0])[None, None, :, None]
    action, state = still.predict(np.array([[0.5]]), memory)
    assert action.item() == pytest.approx(-0.5)
    assert state.flatten().tolist() == pytest.approx([-0.5, 0.25, 0.0, 0.0])


def test_the_same_seed_plans_the_same() -> None:
    first, second = (planner(steps=3).predict(np.array([[2.5]]))[0] for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        GradientSettings(**settings)
