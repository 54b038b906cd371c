import pytest
import torch

from offline_envs.diagnose.coverage import Coverage, DataSupport, Projection, nearest_distance


def test_states_beyond_the_held_out_ones_are_outside() -> None:
    """Data at 0, 1, …, 99; held-out points half-way between, so 0.5 is the radius; two of four are beyond."""
    support = DataSupport.of(torch.arange(100.0)[:, None], torch.arange(99.0)[:, None] + 0.5, n=1000)
    assert support.radius == 0.5
    points = torch.tensor([[3.2], [-0.4], [-2.0], [150.0]])
    assert support.is_outside(points).tolist() == [False, False, True, True]


def test_the_kept_data_are_evenly_spaced() -> None:
    """Of 0, 1, …, 100, five are kept; held-out points at 0 and 25 lie on two of them."""
    support = DataSupport.of(torch.arange(101.0)[:, None], torch.tensor([[0.0], [25.0]]), n=5)
    assert support.points.flatten().tolist() == [0, 25, 50, 75, 100]
    assert support.radius == 0


def test_rows_and_advice_of_shares_outside() -> None:
    points = torch.zeros(2, 2)
    plane = Projection(torch.zeros(2), torch.eye(2), torch.tensor([0.6, 0.4]))
    for share, warning in ((0.1, False), (0.5, True)):
        found = Coverage(
            plane, points, {"toy": points}, 0.5, {"toy": share}, {"toy": torch.tensor([0.0, 1])}, "toy", 2
        )
        assert found.rows() == [
            {"source": "toy", "step": 1, "share outside": 0},
            {"source": "toy", "step": 2, "share outside": 1},
        ]
        (advice,) = found.advice()
        assert (advice.value, advice.warning) == (f"{share:.1%} of imagined states lie outside", warning)


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
    monkeypatch.setattr("offline_envs.diagnose.coverage.CHUNK", 2)
    data = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    points = torch.tensor([[3.0, 4.0], [10.0, 0.0], [9.0, 0.0]])
    assert nearest_distance(points, data).tolist() == [5, 0, 1]
