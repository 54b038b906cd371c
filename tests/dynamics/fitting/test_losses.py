import math

import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings
from offline_envs.dynamics.ensemble.layers import LogVarianceBounds
from offline_envs.dynamics.fitting.fit_state import make_optimizer
from offline_envs.dynamics.fitting.losses import (
    bound_penalty,
    data_loss,
    decay_factors,
    gaussian_nll,
    log_likelihood,
    row_loss,
    squared_error,
    weight_penalty,
)


def test_likelihood_by_hand() -> None:
    mean = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]])
    target = torch.tensor([[[2.0, 4.0]]])
    logvar = torch.tensor([[[0.0, math.log(4)]], [[0.0, 0.0]]])
    # Member 0: (1/1 + 4/4)/2 + (0 + log 4)/2; member 1: (4 + 16)/2.
    torch.testing.assert_close(gaussian_nll(mean, logvar, target), torch.tensor([1 + math.log(2), 10.0]))
    torch.testing.assert_close(squared_error(mean, target), torch.tensor([2.5, 10.0]))


def test_members_without_variance_are_fitted_by_squared_error() -> None:
    mean, target = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    assert torch.equal(data_loss(mean, None, target), squared_error(mean, target))


@pytest.mark.parametrize("logvar", [None, torch.randn(2, 3, 4)])
def test_the_loss_of_a_batch_is_the_mean_of_its_rows(logvar: torch.Tensor | None) -> None:
    mean, target = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    rows = row_loss(mean, logvar, target)
    assert rows.shape == (2, 3)
    torch.testing.assert_close(rows.mean(dim=1), data_loss(mean, logvar, target))


def test_log_likelihood_is_that_of_pytorchs_normal() -> None:
    mean, logvar, value = torch.randn(3, 2, 5, 4)
    expected = torch.distributions.Normal(mean, (logvar / 2).exp()).log_prob(value).sum(dim=-1)
    torch.testing.assert_close(log_likelihood(mean, logvar, value), expected)


def test_penalties_by_hand() -> None:
    weights = [torch.full((2, 1, 3), 2.0), torch.ones(2, 3, 1)]
    assert weight_penalty(weights, [0.5, 1.0]).item() == 0.25 * 24 + 0.5 * 6
    bounds = LogVarianceBounds(4, low=-10.0, high=0.5).requires_grad_(False)
    assert float(bound_penalty(bounds, 0.01)) == pytest.approx(0.01 * 4 * 10.5)
    assert bound_penalty(None, 0.01) == 0.0


@pytest.mark.parametrize(
    ("values", "n_trunk", "factors"),
    [
        ((1.0, 2.0, 3.0, 4.0, 5.0), 4, [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]),
        ((1.0, 2.0, 9.0), 4, [1.0, 2.0, 2.0, 2.0, 9.0, 9.0]),
        ((1.0, 2.0, 3.0, 9.0), 1, [1.0, 9.0, 9.0]),
        ((7.0,), 2, [7.0, 7.0, 7.0, 7.0]),
    ],
)
def test_decay_factors_follow_the_depth(
    values: tuple[float, ...], n_trunk: int, factors: list[float]
) -> None:
    assert decay_factors(values, n_trunk, 2) == factors


def test_decay_of_the_optimiser_equals_decay_in_the_loss() -> None:
    settings = EnsembleSettings(n_members=2, n_elites=1, hidden=(5, 6))
    fit_settings = FitSettings(weight_decay=(0.1, 0.2, 0.3))
    inputs, targets = torch.randn(2, 8, 4), torch.randn(2, 8, 4)
    decayed = EnsembleDynamics(3, 1, settings=settings)
    summed = EnsembleDynamics(3, 1, settings=settings)
    ours = make_optimizer(decayed, fit_settings)
    plain = torch.optim.Adam(summed.parameters(), lr=fit_settings.learning_rate)
    for _ in range(5):
        for ensemble, optimizer in ((decayed, ours), (summed, plain)):
            optimizer.zero_grad()
            mean, logvar = ensemble(inputs)
            loss = data_loss(mean, logvar, targets).sum()
            if ensemble is summed:
                weights = [layer.weight for layer in (*summed.trunk, *summed.heads)]
                loss = loss + weight_penalty(weights, [0.1, 0.2, 0.3, 0.3])
            loss.backward()
            optimizer.step()
    for a, b in zip(decayed.parameters(), summed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        EnsembleSettings(n_members=2, n_elites=1, hidden=(3,)),
        EnsembleSettings(n_members=2, n_elites=1, hidden=(3,), separate_heads=False),
        EnsembleSettings(n_members=2, n_elites=1, hidden=(3,), probabilistic=False),
    ],
)
def test_gradient_of_the_loss_matches_finite_differences(settings: EnsembleSettings) -> None:
    ensemble = EnsembleDynamics(2, 1, settings=settings).double()
    inputs, targets = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 4, 3, dtype=torch.float64)
    names = [name for name, _ in ensemble.named_parameters()]

    def loss(*values: torch.Tensor) -> torch.Tensor:
        outputs = torch.func.functional_call(ensemble, dict(zip(names, values, strict=True)), (inputs,))
        mean, logvar = outputs
        return data_loss(mean, logvar, targets).sum()

    assert torch.autograd.gradcheck(loss, tuple(ensemble.parameters()))
