"""A fit that starts from an ensemble: where it starts, what it is called in the cache, what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    EnsembleDynamics,
    EnsembleSettings,
    FitSettings,
    Normalizer,
    ensemble_folder,
    fit,
    fitted_ensemble,
    read_model_card,
)
from offline_envs.dynamics.ensemble.warm_start import start_from
from offline_envs.dynamics.fitting.rows import split_rows, standardize_targets
from offline_envs.errors import CheckpointError, SettingsError
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def old() -> EnsembleDynamics:
    return fit(linear_transitions(), TINY, fit_settings=QUICK, progress=False).ensemble


def wider() -> Transitions:
    """The same system in other units of data: other means and deviations of inputs and targets."""
    data = linear_transitions(600, seed=1)
    return replace(data, obs=3 * data.obs + 1, next_obs=3 * data.next_obs + 1.5, rewards=5 * data.rewards - 2)


def started(initial: EnsembleDynamics, data: Transitions, *, standardize: bool = True) -> EnsembleDynamics:
    """An ensemble that is about to be fitted, brought back to raw units."""
    ensemble = EnsembleDynamics(2, 1, settings=initial.settings, seed=7)
    rows = split_rows(data, ensemble.normalizer, fit_settings=QUICK, device=CPU)
    scaler = standardize_targets(rows) if standardize else None
    start_from(ensemble, initial, scaler)
    if scaler:
        ensemble.rescale_outputs(scaler.mean, scaler.std)
    return ensemble.eval()


def some_rows() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return 2 * torch.randn(50, 2, generator=generator), torch.rand(50, 1, generator=generator)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(
    "changes", [{}, {"separate_heads": False}, {"probabilistic": False}, {"layer_norm": True}]
)
def test_a_fit_starts_with_the_predictions_of_the_initial_ensemble(
    changes: dict[str, Any], standardize: bool
) -> None:
    initial = EnsembleDynamics(2, 1, settings=replace(TINY, **changes), seed=1).eval()
    initial.normalizer.fit(torch.randn(100, 3, generator=torch.Generator().manual_seed(0)) + 1)
    twin = started(initial, wider(), standardize=standardize)
    assert not torch.equal(twin.normalizer.std, initial.normalizer.std)
    for ours, theirs in zip(twin.predict(*some_rows()), initial.predict(*some_rows()), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_a_fit_without_progress_returns_the_initial_predictions(old: EnsembleDynamics) -> None:
    still = FitSettings(learning_rate=1e-12, max_epochs=1, batch_size=64)
    again = fit(wider(), fit_settings=still, initial=old, progress=False).ensemble
    assert again.settings == TINY  # as nothing else was asked for
    for ours, theirs in zip(again.predict(*some_rows()), old.predict(*some_rows()), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_a_warm_start_saves_epochs(old: EnsembleDynamics) -> None:
    data = linear_transitions(500, seed=2)
    one = FitSettings(max_epochs=1, batch_size=64)
    warm, cold = (fit(data, TINY, fit_settings=one, initial=i, progress=False).report for i in (old, None))
    assert all(ours < theirs for ours, theirs in zip(warm.holdout_mse, cold.holdout_mse, strict=True))


def test_the_initial_ensemble_is_left_as_it_is(old: EnsembleDynamics) -> None:
    before = {name: value.clone() for name, value in old.state_dict().items()}
    fit(wider(), fit_settings=QUICK, initial=old, progress=False)
    assert all(torch.equal(value, before[name]) for name, value in old.state_dict().items())


def test_columns_that_hardly_varied_start_afresh() -> None:
    """Otherwise weights of noise would be enlarged a thousandfold, and deviations be as small as rounding."""
    data = linear_transitions()
    still = replace(data, obs=data.obs * torch.tensor([1.0, 1e-4]), rewards=torch.zeros(len(data)))
    still = replace(still, next_obs=still.obs + data.next_obs - data.obs)
    initial = fit(still, TINY, fit_settings=QUICK, progress=False).ensemble
    assert initial.bounds is not None
    assert float(initial.bounds.high[0]) < -20  # the reward was known to be 0
    ensemble = EnsembleDynamics(2, 1, settings=TINY, seed=7)
    fresh = {name: value.clone() for name, value in ensemble.state_dict().items()}
    rows = split_rows(data, ensemble.normalizer, fit_settings=QUICK, device=CPU)
    start_from(ensemble, initial, standardize_targets(rows))
    found = ensemble.state_dict()
    assert torch.equal(found["trunk.0.weight"][:, 1], fresh["trunk.0.weight"][:, 1])
    assert not torch.equal(found["trunk.0.weight"][:, 0], fresh["trunk.0.weight"][:, 0])
    for name in ("heads.0.weight", "heads.0.bias", "heads.1.bias", "bounds.low", "bounds.high"):
        assert torch.equal(found[name][..., 0], fresh[name][..., 0]), name
        assert not torch.equal(found[name][..., 1], fresh[name][..., 1]), name


def test_the_cache_tells_initial_weights_apart(tmp_path: Path, old: EnsembleDynamics) -> None:
    data = linear_transitions(seed=4)
    options: dict[str, Any] = {"fit_settings": QUICK, "cache_dir": tmp_path}
    other = old.copy()
    other.get_parameter("trunk.0.bias").data += 0.1
    folders = [ensemble_folder(data, TINY, initial=i, **options) for i in (None, old, other)]
    assert len(set(folders)) == 3
    assert folders[0] == ensemble_folder(data, TINY, **options)
    warm = fitted_ensemble(data, initial=old, progress=False, **options)
    cold = fitted_ensemble(data, TINY, progress=False, **options)
    assert not torch.equal(warm.get_parameter("trunk.0.bias"), cold.get_parameter("trunk.0.bias"))
    assert fitted_ensemble(data, initial=old, progress=False, **options) is warm
    assert len(read_model_card(folders[1])["initial_sha256"]) == 64
    assert "initial_sha256" not in read_model_card(folders[0])
    folders[1].rename(folders[2])
    with pytest.raises(CheckpointError, match="belongs to other initial weights"):
        fitted_ensemble(data, initial=other, progress=False, **options)


def test_an_interrupted_fit_belongs_to_its_initial_weights(tmp_path: Path, old: EnsembleDynamics) -> None:
    data = linear_transitions(seed=4)
    options: dict[str, Any] = {"fit_settings": QUICK, "progress": False}
    fit(data, TINY, initial=old, folder=tmp_path, **options)
    with pytest.raises(CheckpointError, match="initial weights"):
        fit(data, TINY, initial=old.copy().apply(nudged), folder=tmp_path, **options)


def nudged(module: torch.nn.Module) -> None:
    if isinstance(module, Normalizer):
        module.mean += 1


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (EnsembleDynamics(3, 1, settings=TINY), "obs 2 and action 1; it has obs 3 and action 1"),
        (EnsembleDynamics(2, 1, settings=EnsembleSettings()), "initial must have the shape that is fitted"),
    ],
)
def test_weights_of_other_networks_are_refused(initial: EnsembleDynamics, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        fit(linear_transitions(), TINY, fit_settings=QUICK, initial=initial, progress=False)


def test_spectral_norm_is_refused() -> None:
    settings = replace(TINY, spectral_norm=True)
    initial = EnsembleDynamics(2, 1, settings=settings)
    with pytest.raises(SettingsError, match="spectral_norm=True: fit without initial"):
        fit(linear_transitions(), settings, fit_settings=QUICK, initial=initial, progress=False)
