import torch

from offline_envs.planning.ilqr.backward_pass import backward_pass
from offline_envs.planning.ilqr.derivatives import derivatives
from offline_envs.planning.ilqr.forward_pass import forward_pass
from offline_envs.planning.problem import roll_out
from tests.planning.quadratic import quadratic, starts

HORIZON = 6


def test_gains_are_riccatis_and_the_expected_improvement_comes_true() -> None:
    case = quadratic()
    problem = case.problem()
    trajectory = roll_out(problem, starts(), lambda t, obs: obs.new_zeros(len(obs), 2), HORIZON)
    found = derivatives(problem, trajectory)
    changes = backward_pass(problem, trajectory, found, torch.zeros(4, dtype=torch.float64))
    assert changes.valid.all()
    expected = torch.stack(case.solution(HORIZON)[1])
    torch.testing.assert_close(changes.feedback, -expected[:, None].expand(-1, 4, -1, -1))
    searched = forward_pass(problem, trajectory, changes)
    assert searched.improved.all()
    gain = searched.trajectory.value - trajectory.value
    torch.testing.assert_close(gain, -(changes.linear + changes.quadratic))


def test_damping_makes_changes_smaller() -> None:
    problem = quadratic().problem()
    trajectory = roll_out(problem, starts(), lambda t, obs: obs.new_zeros(len(obs), 2), HORIZON)
    found = derivatives(problem, trajectory)
    sizes = [
        backward_pass(problem, trajectory, found, torch.full((4,), mu, dtype=torch.float64)).feedforward[-1]
        for mu in (0.0, 1.0, 100.0)
    ]
    norms = [size.norm(dim=-1) for size in sizes]
    assert (norms[0] > norms[1]).all()
    assert (norms[1] > norms[2]).all()


def test_actions_held_at_a_bound_get_no_feedback() -> None:
    problem = quadratic().problem(bound=1e-3)
    trajectory = roll_out(problem, starts(), lambda t, obs: obs.new_zeros(len(obs), 2), HORIZON)
    found = derivatives(problem, trajectory)
    changes = backward_pass(problem, trajectory, found, torch.zeros(4, dtype=torch.float64))
    held = changes.feedforward.abs() == 1e-3
    assert held.any()
    assert not changes.feedback[held].any()


def test_a_row_without_a_direction_of_descent_is_said_to_be_invalid() -> None:
    """A curvature of −1 in a single action, which projection would have removed."""
    problem = quadratic().problem()
    trajectory = roll_out(problem, starts(), lambda t, obs: obs.new_zeros(len(obs), 2), 1)
    found = derivatives(problem, trajectory)
    found.curvature[0, 1, 3, 3] = -1e3
    changes = backward_pass(problem, trajectory, found, torch.zeros(4, dtype=torch.float64))
    assert changes.valid.tolist() == [True, False, True, True]
    assert not changes.feedforward[:, 1].any()
    assert changes.feedforward[:, 0].any()
