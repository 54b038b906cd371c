import pytest
import torch
from torch.nn import functional

from offline_envs.dynamics.ensemble.layers import LogVarianceBounds, MemberLinear, Normalizer


def test_initial_weights_are_truncated_at_two_deviations() -> None:
    layer = MemberLinear(7, 100, 200, generator=torch.Generator().manual_seed(0))
    std = 1 / 20
    assert layer.weight.abs().max().item() <= 2 * std
    # A normal distribution cut at two deviations keeps 0.8796 of its deviation.
    assert layer.weight.std().item() == pytest.approx(0.8796 * std, rel=0.01)
    assert not layer.bias.any()


def test_bounds_are_soft_and_formula_exact() -> None:
    bounds = LogVarianceBounds(1, low=-10.0, high=0.5)
    logvar = torch.tensor([[-100.0], [-3.0], [100.0]], requires_grad=True)
    bounded = bounds(logvar)
    high = 0.5 - functional.softplus(0.5 - logvar)
    torch.testing.assert_close(bounded, -10 + functional.softplus(high + 10))
    assert bounded[0].item() == pytest.approx(-10)
    assert bounded[1].item() == pytest.approx(-3, abs=0.05)
    assert bounded[2].item() == pytest.approx(0.5, abs=1e-3)
    assert bounds.spread().item() == 10.5


@pytest.mark.parametrize(("low", "high"), [(-10.0, 0.5), (-6.0, 1.0), (-50.0, 50.0)])
def test_std_is_that_of_the_bounded_log_variance(low: float, high: float) -> None:
    bounds = LogVarianceBounds(1, low=low, high=high)
    logvar = torch.linspace(-30, 60, 500, dtype=torch.float64)[:, None]
    expected = (bounds.double()(logvar) / 2).exp()
    torch.testing.assert_close(bounds.float().std(logvar.float()).double(), expected, rtol=1e-5, atol=0.0)


def test_columns_that_vary_by_rounding_only_are_not_blown_up() -> None:
    """Constant; 0.04 with the last digits of float32; a clock of 1e6 ± 10, which is a signal; ordinary."""
    noise = torch.linspace(-1, 1, 1001)
    columns = (torch.full_like(noise, 7.0), 0.04 + 1e-8 * noise, 1e6 + 10 * noise, 3 + 2 * noise)
    normalizer = Normalizer(4)
    normalizer.fit(torch.stack(columns, dim=1))
    spread = 1 / 3**0.5  # of `noise`
    expected = torch.tensor([1.0, 4e-8, 10 * spread, 2 * spread])
    torch.testing.assert_close(normalizer.std, expected, rtol=0.01, atol=0.0)
