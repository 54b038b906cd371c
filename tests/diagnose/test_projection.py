import pytest
import torch

from offline_envs.diagnose.distance import nearest_distance
from offline_envs.diagnose.projection import Projection


def test_points_of_a_known_plane_are_found_again() -> None:
    """Points u·e₁ + v·e₂ + c with u spread wider than v: coordinates are (u, v) up to sign."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(5, 2, generator=generator, dtype=torch.float64)).Q
    u, v = torch.meshgrid(torch.linspace(-3, 3, 7), torch.linspace(-1, 1, 5), indexing="ij")
    flat = torch.stack([u.reshape(-1), v.reshape(-1)], dim=1).double()
    points = flat @ basis.T + 4
    found = Projection.of(points)
    torch.testing.assert_close(found(points).abs(), flat.abs(), atol=1e-6, rtol=0)
    # Sums of squares: 5 · 2 · (1 + 4 + 9) = 140 and 7 · 2 · (0.25 + 1) = 17.5.
    assert found.explained.tolist() == pytest.approx([140 / 157.5, 17.5 / 157.5])


def test_one_dimension_has_no_second_component() -> None:
    found = Projection.of(torch.tensor([[1.0], [3.0]]))
    assert found(torch.tensor([[3.0]])).abs().tolist() == [[1, 0]]
    assert found.explained.tolist() == [1, 0]


def test_the_nearest_of_several_points_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offline_envs.diagnose.distance.CHUNK", 2)
    data = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    points = torch.tensor([[3.0, 4.0], [10.0, 0.0], [9.0, 0.0]])
    assert nearest_distance(points, data).tolist() == [5, 0, 1]
