from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.planning.ilqr import derivatives as module
from offline_envs.planning.ilqr.derivatives import convex, derivatives
from offline_envs.planning.problem import Imagined, MeanModel, Problem, Trajectory, roll_out
from tests.planning.quadratic import quadratic, starts


def curved(obs: Tensor, action: Tensor) -> Imagined:
    """A step to (s₀ a, s₀²), r = −s₀² a² + s₁; it ends where s₁ > 3 afterwards, terminally."""
    first, a = obs[:, 0], action[:, 0]
    after = torch.stack([first * a, first**2], dim=-1)
    no = torch.zeros(len(obs), dtype=torch.bool)
    return Imagined(-(first**2) * a**2 + obs[:, 1], after, after[:, 1] > 3, no, no)


def of(model: MeanModel, obs: list[float], **parts: Any) -> tuple[Problem, Trajectory]:
    high = torch.full((1,), 10.0, dtype=torch.float64)
    problem = Problem(model, -high, high, **parts)
    begun = torch.tensor([obs], dtype=torch.float64)
    return problem, roll_out(problem, begun, lambda t, obs: torch.full_like(obs[:, :1], 3.0), 3)


def test_derivatives_are_those_by_hand() -> None:
    """At s = (1, 5), a = 3: r = −s₀²a² + s₁ has slope (−18, 1, −6) and second derivatives −18, −12 and −2."""
    problem, trajectory = of(curved, [1.0, 5.0], discount=0.5)
    found = derivatives(problem, trajectory)
    assert found.step[0, 0].tolist() == [[3.0, 0.0, 1.0], [2.0, 0.0, 0.0]]
    assert found.slope[0, 0].tolist() == [18.0, -1.0, 6.0]
    exact = torch.tensor([[[18.0, 0.0, 12.0], [0.0, 0.0, 0.0], [12.0, 0.0, 2.0]]], dtype=torch.float64)
    torch.testing.assert_close(found.curvature[0], convex(exact))
    assert trajectory.obs[1, 0].tolist() == [3.0, 1.0]
    assert found.slope[1, 0].tolist() == [0.5 * 54.0, -0.5, 0.5 * 54.0]


def test_nothing_has_a_slope_after_an_end() -> None:
    """From s₀ = 3 the second observation becomes 9: the first step counts, and no other."""
    problem, trajectory = of(curved, [3.0, 0.0], terminal_value=lambda obs: obs.sum(-1))
    assert trajectory.length.tolist() == [1]
    found = derivatives(problem, trajectory)
    assert (found.slope[0] != 0).any()
    for part in (found.step[1:], found.slope[1:], found.curvature[1:], found.stop_slope):
        assert not part.any()


def test_costs_of_a_quadratic_problem_are_exact() -> None:
    case = quadratic(discount=0.9)
    problem = case.problem()
    trajectory = roll_out(problem, starts(), lambda t, obs: obs[:, :2], 3)
    found = derivatives(problem, trajectory)
    whole = torch.cat([torch.cat([case.q, case.n.T], 1), torch.cat([case.n, case.r], 1)])
    expected = 2 * whole * torch.tensor([1.0, 0.9, 0.81])[:, None, None, None].double()
    torch.testing.assert_close(found.curvature, expected.expand_as(found.curvature))
    torch.testing.assert_close(found.step, torch.cat([case.a, case.b], 1).expand_as(found.step))
    torch.testing.assert_close(found.stop_curvature, (2 * 0.9**3 * case.p).expand(4, 3, 3))
    torch.testing.assert_close(found.stop_slope, 2 * 0.9**3 * trajectory.stop @ case.p)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = quadratic().problem()
    trajectory = roll_out(problem, starts(), lambda t, obs: obs[:, :2], 3)
    whole = derivatives(problem, trajectory)
    monkeypatch.setattr(module, "ROWS", 12)
    for ours, theirs in zip(derivatives(problem, trajectory), whole, strict=True):
        torch.testing.assert_close(ours, theirs)


def broken(obs: Tensor, action: Tensor) -> Imagined:
    """The slope of √|s| is infinite at 0."""
    no = torch.zeros(len(obs), dtype=torch.bool)
    return Imagined(obs[:, 0].abs().sqrt(), obs + action, no, no, no)


def test_derivatives_that_are_not_finite_are_left_out() -> None:
    problem, trajectory = of(broken, [0.0])
    found = derivatives(problem, trajectory)
    assert not found.step[0].any()
    assert not found.slope[0].any()
    assert found.slope[1, 0, 0] != 0
    assert all(part.isfinite().all() for part in found)


def test_projection_takes_away_what_curves_the_wrong_way() -> None:
    """[[0, 1], [1, 0]] has eigenvalues ±1; the positive part is [[½, ½], [½, ½]]."""
    found = convex(torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[2.0, 0.0], [0.0, 3.0]]]))
    torch.testing.assert_close(found[0], torch.full((2, 2), 0.5))
    torch.testing.assert_close(found[1], torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
