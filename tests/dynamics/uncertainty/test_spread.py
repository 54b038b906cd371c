import math

import pytest
import torch
from torch import Tensor

from offline_envs.dynamics import Prediction, fitted_spread, mixture_nll, scaled_spread
from offline_envs.errors import SettingsError
from offline_envs.evaluation import interval_shares, mixture_quantile

ALL = torch.arange(3)


def mixture(n: int, generator: torch.Generator) -> tuple[Prediction, Tensor]:
    """Three members of two outputs in different units that disagree, and a sample of their mixture a row."""
    units = torch.tensor([1.0, 50.0])
    mean = torch.randn(3, n, 2, generator=generator) * units
    std = (0.2 + torch.rand(3, n, 2, generator=generator)) * units
    member = torch.randint(3, (n,), generator=generator)
    own = Prediction(mean, std).own(member)
    return Prediction(mean, std), own.mean + own.std * torch.randn(n, 2, generator=generator)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.0, 1.6])
def test_a_mixture_of_known_width_gets_its_factor(factor: float) -> None:
    """The truth is drawn from the mixture and moved towards its mean: the mixture is 1 / c times too wide."""
    n = 20_000
    prediction, sample = mixture(n, torch.Generator().manual_seed(0))
    centre = prediction.mean.mean(dim=0)
    true = centre + factor * (sample - centre)
    found = fitted_spread(prediction, true)
    assert found == pytest.approx(factor, rel=0.01)
    shares = interval_shares(mixture_quantile(scaled_spread(prediction, found, ALL), true)).mean(dim=1)
    error = 4 * math.sqrt(0.25 / n)  # four deviations of a share of n rows
    assert shares.tolist() == pytest.approx([0.5, 0.8, 0.9, 0.95], abs=error)
    if factor == 0.3:
        before = interval_shares(mixture_quantile(prediction, true)).mean(dim=1)
        assert before[0] > 0.9


def test_one_member_gets_the_factor_of_its_deviation() -> None:
    """The most likely deviation of one Gaussian is the root mean square of its errors."""
    mean, std = torch.zeros(1, 4, 1), torch.full((1, 4, 1), 2.0)
    true = torch.tensor([[1.0], [-3.0], [2.0], [-1.0]])
    expected = math.sqrt((1 + 9 + 4 + 1) / 4) / 2
    assert fitted_spread(Prediction(mean, std), true) == pytest.approx(expected, rel=1e-5)


def test_scaling_by_hand() -> None:
    mean = torch.tensor([[[0.0]], [[4.0]], [[100.0]]])
    std = torch.tensor([[[1.0]], [[2.0]], [[3.0]]])
    scaled = scaled_spread(Prediction(mean, std), 0.5, torch.tensor([0, 1]))
    assert scaled.mean.flatten().tolist() == [1.0, 3.0, 51.0]  # about 2, the mean of members 0 and 1
    assert scaled.std.flatten().tolist() == [0.5, 1.0, 1.5]


def test_a_factor_of_one_changes_no_bit() -> None:
    prediction, _ = mixture(1000, torch.Generator().manual_seed(1))
    scaled = scaled_spread(prediction, 1.0, ALL)
    assert torch.equal(scaled.mean, prediction.mean)
    assert torch.equal(scaled.std, prediction.std)


def test_likelihood_is_that_of_the_mixture() -> None:
    """Against torch's own mixture distribution."""
    prediction, sample = mixture(50, torch.Generator().manual_seed(2))
    d = torch.distributions
    components = d.Normal(prediction.mean.permute(1, 2, 0), prediction.std.permute(1, 2, 0))
    expected = -d.MixtureSameFamily(d.Categorical(torch.ones(3)), components).log_prob(sample)
    torch.testing.assert_close(mixture_nll(prediction, sample), expected)


def test_outputs_that_never_change_do_not_count() -> None:
    """A model that is exact about one of them would otherwise draw the factor towards zero."""
    prediction, sample = mixture(2000, torch.Generator().manual_seed(3))
    exact = torch.full((3, 2000, 1), 5.0)
    both = Prediction(
        torch.cat([prediction.mean, exact], dim=2), torch.cat([prediction.std, exact / 1e6], dim=2)
    )
    true = torch.cat([sample, exact[0]], dim=1)
    assert fitted_spread(both, true) == fitted_spread(prediction, sample)
    assert fitted_spread(Prediction(exact, exact), exact[0]) == 1.0


def test_what_has_no_likelihood_is_refused() -> None:
    prediction, sample = mixture(20, torch.Generator().manual_seed(4))
    with pytest.raises(SettingsError, match="members that predict a variance"):
        fitted_spread(Prediction(prediction.mean, torch.zeros_like(prediction.std)), sample)
    broken = prediction.mean.clone()
    broken[1, 3, 0] = torch.nan
    with pytest.raises(SettingsError, match="predictions are finite"):
        fitted_spread(Prediction(broken, prediction.std), sample)
