import math

import pytest
import torch

from offline_envs.dynamics import Prediction
from offline_envs.evaluation import LEVELS, interval_shares, mixture_quantile


def test_the_quantile_of_one_gaussian_is_its_distribution_function() -> None:
    one = Prediction(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[2.0, 1.0]]]))
    found = mixture_quantile(one, torch.tensor([[3.0, 2.0]]))  # one deviation above, and at the mean
    assert found.tolist() == [[pytest.approx(0.8413447), pytest.approx(0.5)]]


def test_the_quantile_of_a_mixture_is_the_members_average() -> None:
    """Members at ±1 with deviation 1, truth at 1: (Φ(0) + Φ(2)) / 2."""
    two = Prediction(torch.tensor([[[1.0]], [[-1.0]]]), torch.ones(2, 1, 1))
    expected = (0.5 + 0.5 * (1 + math.erf(2 / math.sqrt(2)))) / 2
    assert mixture_quantile(two, torch.ones(1, 1)).item() == pytest.approx(expected)


def test_exact_gaussians_hold_what_they_promise() -> None:
    """Shares of 20 000 draws lie within four binomial deviations, at most 0.014, of the nominal ones."""
    generator = torch.Generator().manual_seed(0)
    n = 20_000
    mean, std = torch.randn(1, n, 2, generator=generator), torch.rand(1, n, 2, generator=generator) + 0.1
    true = mean[0] + std[0] * torch.randn(n, 2, generator=generator)
    shares = interval_shares(mixture_quantile(Prediction(mean, std), true))
    for level, share in zip(LEVELS, shares, strict=True):
        assert (share - level).abs().max() < 4 * math.sqrt(level * (1 - level) / n)


def test_intervals_of_twice_the_width_hold_more() -> None:
    """P(|z| < 2 · 0.6745) = 0.8227 for the 50 % interval."""
    z = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    quantile = mixture_quantile(Prediction(torch.zeros(1, 20_000, 1), torch.full((1, 20_000, 1), 2.0)), z)
    assert interval_shares(quantile, (0.5,)).item() == pytest.approx(0.8227, abs=0.011)


def test_shares_by_hand() -> None:
    quantile = torch.tensor([[0.5, 0.74], [0.1, 0.76], [0.96, 0.5], [0.04, 0.0]], dtype=torch.float64)
    assert interval_shares(quantile, (0.5, 0.9)).tolist() == [[0.25, 0.5], [0.5, 0.75]]
