from dataclasses import replace

import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, fit
from offline_envs.dynamics.ensemble.spectral_norm import (
    add_spectral_norm,
    bake_spectral_norm,
    refine_spectral_norm,
)
from tests.dynamics.linear_data import QUICK, linear_transitions

SETTINGS = EnsembleSettings(n_members=3, n_elites=2, hidden=(8, 8), spectral_norm=True)


def norms(ensemble: EnsembleDynamics) -> list[torch.Tensor]:
    return [torch.linalg.matrix_norm(layer.weight, ord=2) for layer in (*ensemble.trunk, *ensemble.heads)]


@pytest.mark.parametrize("bound", [1.0, 2.5])
def test_all_layers_but_the_variance_head_are_normalised(bound: float) -> None:
    ensemble = EnsembleDynamics(2, 1, settings=replace(SETTINGS, spectral_bound=bound))
    before = norms(ensemble)[-1]
    add_spectral_norm(ensemble, generator=torch.Generator().manual_seed(0))
    refine_spectral_norm(ensemble)
    bake_spectral_norm(ensemble)
    *normalised, variance = norms(ensemble)
    for norm in normalised:
        torch.testing.assert_close(norm, torch.full((3,), bound), atol=0, rtol=1e-3)
    assert torch.equal(variance, before)
    assert set(ensemble.state_dict()) == set(EnsembleDynamics(2, 1, settings=SETTINGS).state_dict())


@pytest.mark.filterwarnings("ignore:With spectral_bound")
def test_a_fit_ends_with_plain_normalised_weights() -> None:
    ensemble, report = fit(linear_transitions(), SETTINGS, fit_settings=QUICK, progress=False)
    assert [norm.max().item() < 1.01 for norm in norms(ensemble)[:-1]] == [True] * 3
    plain = EnsembleDynamics(2, 1, settings=SETTINGS)
    plain.load_state_dict(ensemble.state_dict())
    assert report.epochs == 3


def test_a_bound_too_tight_for_the_data_is_warned_of() -> None:
    steep, tight = linear_transitions(), replace(SETTINGS, spectral_bound=0.01)
    with pytest.warns(UserWarning, match=r"spectral_bound=0.01 the model leaves .* Try spectral_bound=0.02"):
        fit(steep, tight, fit_settings=QUICK, progress=False)
