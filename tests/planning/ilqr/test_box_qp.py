import pytest
import torch
from torch import Tensor

from offline_envs.planning.ilqr.box_qp import box_qp, free_inverse


def problems(n: int, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(k)
    root = torch.randn(n, k, k, generator=generator, dtype=torch.float64)
    curvature = root @ root.mT + 0.1 * torch.eye(k, dtype=torch.float64)
    slope = 3 * torch.randn(n, k, generator=generator, dtype=torch.float64)
    low = -torch.rand(n, k, generator=generator, dtype=torch.float64)
    high = torch.rand(n, k, generator=generator, dtype=torch.float64)
    return curvature, slope, low, high


def test_one_dimension_is_the_clipped_newton_step() -> None:
    """Minimise 2 x² + g x in [−1, 1]: −g/4, clipped; what the bound holds is not free."""
    slope = torch.tensor([[2.0], [8.0], [-8.0], [0.0]])
    one = torch.ones_like(slope)
    x, free = box_qp(4 * one[..., None], slope, -one, one)
    assert x.flatten().tolist() == [-0.5, -1.0, 1.0, 0.0]
    assert free.flatten().tolist() == [True, False, False, True]


@pytest.mark.parametrize("k", [2, 5])
def test_the_conditions_of_an_optimum_hold(k: int) -> None:
    """Karush, Kuhn and Tucker: no slope in the interior, and at a bound it pushes outwards."""
    curvature, slope, low, high = problems(200, k)
    x, free = box_qp(curvature, slope, low, high)
    gradient = slope + (curvature @ x[..., None])[..., 0]
    assert ((low <= x) & (x <= high)).all()
    inside = (x > low) & (x < high)
    assert 0 < int(inside.sum()) < inside.numel()
    assert gradient[inside].abs().max() < 1e-6
    assert (gradient[x == low] > -1e-6).all()
    assert (gradient[x == high] < 1e-6).all()
    assert (free | ~inside).all()


def test_wide_bounds_change_nothing() -> None:
    curvature, slope, _, _ = problems(20, 3)
    wide = torch.full_like(slope, 1e6)
    x, free = box_qp(curvature, slope, -wide, wide)
    torch.testing.assert_close(x, torch.linalg.solve(curvature, -slope))
    assert free.all()


def test_a_box_that_is_a_point_is_returned() -> None:
    curvature, slope, low, _ = problems(5, 2)
    assert torch.equal(box_qp(curvature, slope, low, low)[0], low)


def test_held_dimensions_are_left_out_of_the_inverse() -> None:
    """H = [[4, 2], [2, 9]]: with both free the inverse, with the second held 1/4 and nothing else."""
    curvature = torch.tensor([[[4.0, 2.0], [2.0, 9.0]]]).expand(2, -1, -1)
    free = torch.tensor([[True, True], [True, False]])
    found = free_inverse(curvature, free, torch.eye(2).expand(2, -1, -1))
    torch.testing.assert_close(found[0], torch.tensor([[9.0, -2.0], [-2.0, 4.0]]) / 32)
    assert found[1].tolist() == [[0.25, 0.0], [0.0, 0.0]]
