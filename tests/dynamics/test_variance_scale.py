import pytest
import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.dynamics.rows import rows_of_fit
from offline_envs.dynamics.variance_scale import scale_variances
from offline_envs.errors import SettingsError
from tests.dynamics.linear_data import linear_transitions

SMALL = EnsembleSettings(n_members=3, n_elites=2, hidden=(16,))
SHORT = FitSettings(max_epochs=2, holdout=100)


def gaussians(ensemble: EnsembleDynamics, inputs: Tensor) -> tuple[Tensor, Tensor]:
    mean, logvar = ensemble(inputs.expand(ensemble.n_members, -1, -1))
    assert logvar is not None
    return mean.detach(), logvar.detach()


@pytest.mark.parametrize("separate_heads", [True, False])
def test_each_output_gets_the_factor_that_its_errors_ask_for(separate_heads: bool) -> None:
    """One member, whose output j misses every target by exactly k_j deviations: its factor is k_j squared."""
    settings = EnsembleSettings(n_members=1, n_elites=1, hidden=(8,), separate_heads=separate_heads)
    ensemble = EnsembleDynamics(2, 1, settings=settings, seed=3)
    inputs = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(0))
    mean, logvar = gaussians(ensemble, inputs)
    misses = torch.tensor([0.5, 1.0, 3.0])
    factors = scale_variances(ensemble, inputs, mean + misses * torch.exp(0.5 * logvar))
    torch.testing.assert_close(factors, misses.square())
    new_mean, new_logvar = gaussians(ensemble, inputs)
    torch.testing.assert_close(new_mean, mean)
    torch.testing.assert_close(new_logvar - logvar, (2 * misses.log()).expand_as(logvar), atol=1e-5, rtol=0)


def test_an_output_without_errors_keeps_its_variance() -> None:
    ensemble = EnsembleDynamics(2, 1, settings=SMALL, seed=3)
    inputs = torch.zeros(1, 5, 3)
    with torch.no_grad():
        for part in ensemble.parameters():
            part.zero_()  # all means are zero
    targets = torch.ones(1, 5, 3)
    targets[..., 1] = 0.0
    factors = scale_variances(ensemble, inputs, targets)
    assert factors[1] == 1.0
    assert torch.isfinite(gaussians(ensemble, inputs)[1]).all()


def test_a_fit_is_scaled_on_its_holdout_and_predicts_the_same_means() -> None:
    data = linear_transitions(600)
    plain = fit(data, SMALL, fit_settings=SHORT, progress=False).ensemble
    settings = FitSettings(max_epochs=2, holdout=100, scale_variances=True)
    scaled = fit(data, SMALL, fit_settings=settings, progress=False).ensemble
    inputs, targets = rows_of_fit(data, scaled.normalizer, fit_settings=settings).scored()
    mean, logvar = gaussians(scaled, inputs)
    deviations = (mean - targets).square() * torch.exp(-logvar)
    torch.testing.assert_close(deviations.mean(dim=(0, 1)), torch.ones(scaled.n_outputs))
    torch.testing.assert_close(mean, gaussians(plain, inputs)[0])
    assert not torch.allclose(logvar, gaussians(plain, inputs)[1], atol=0.05)


def test_an_ensemble_without_variances_is_refused() -> None:
    settings = EnsembleSettings(n_members=2, n_elites=1, hidden=(8,), probabilistic=False)
    with pytest.raises(SettingsError, match="scale_variances=True needs an ensemble with variances"):
        fit(linear_transitions(100), settings, fit_settings=FitSettings(scale_variances=True), progress=False)
