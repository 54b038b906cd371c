import json
from typing import Any

import pytest

from offline_envs.dynamics import EnsembleSettings, FitSettings, fit
from offline_envs.errors import SettingsError
from tests.dynamics.linear_data import QUICK, linear_transitions


def test_settings_added_later_change_no_file_or_cache_key_of_before() -> None:
    assert not {"logvar_bounds", "layer_norm"} & EnsembleSettings().to_json().keys()
    assert not {"holdout_share", "rollout_steps"} & FitSettings().to_json().keys()
    assert EnsembleSettings(logvar_bounds=(-6, 1)).to_json()["logvar_bounds"] == [-6.0, 1.0]


def test_defaults_are_those_of_mopo() -> None:
    settings, fit_settings = EnsembleSettings(), FitSettings()
    assert (settings.n_members, settings.n_elites, settings.hidden) == (7, 5, (200,) * 4)
    assert fit_settings.weight_decay == (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
    assert (fit_settings.learning_rate, fit_settings.batch_size, fit_settings.holdout) == (1e-3, 256, 1000)


@pytest.mark.parametrize(
    "settings",
    [EnsembleSettings(hidden=(8, 4), probabilistic=False), FitSettings(max_epochs=3, weight_decay=(0.0,))],
)
def test_settings_survive_json(settings: EnsembleSettings | FitSettings) -> None:
    assert type(settings).from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_member": 7}, "Unknown setting of EnsembleSettings 'n_member'. Valid: activation, hidden"),
        ({"n_members": "7"}, "n_members must be of type int, got '7'"),
        ({"n_members": True}, "n_members must be of type int, got True"),
        ({"probabilistic": "no"}, "probabilistic must be of type bool, got 'no'"),
        ({"hidden": 200}, r"hidden must be of type tuple\[int, ...\], got 200"),
        ({"hidden": [200.5]}, r"hidden must be of type tuple\[int, ...\], got \(200.5,\)"),
        ({"hidden": []}, "hidden must hold the width of each hidden layer"),
        ({"n_members": 0, "n_elites": 0}, r"n_members must be at least 1, got 0"),
        ({"n_members": 3}, r"n_elites must lie in 1..n_members=3, got 5"),
        ({"spectral_norm": True, "separate_heads": False}, "needs separate_heads=True"),
        ({"activation": "relu"}, "Unknown activation 'relu'. Valid: leaky_relu, silu"),
        ({"spectral_norm": True, "layer_norm": True}, "spectral_norm would bound nothing"),
        ({"spectral_norm": True, "spectral_bound": 0.0}, r"spectral_bound must be above 0, got 0.0"),
        ({"spectral_bound": 2.0}, "spectral_bound=2.0 bounds nothing without spectral_norm=True"),
        ({"logvar_bounds": [1, -6]}, r"logvar_bounds must be a lower and a higher number, got \(1.0, -6.0\)"),
        ({"logvar_bounds": [1]}, "logvar_bounds must be a lower and a higher number"),
    ],
)
def test_an_invalid_shape_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        EnsembleSettings.from_json(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be positive, got 0"),
        ({"batch_size": 2.5}, "batch_size must be of type int, got 2.5"),
        ({"max_epochs": 1.5}, r"max_epochs must be of type int \| None, got 1.5"),
        ({"max_epochs": 0}, "max_epochs must be at least 1 or None, got 0"),
        ({"schedule": "linear"}, "schedule"),
        ({"precision": "float16"}, "Unknown precision 'float16'. Valid: bfloat16, float32, tf32"),
        ({"precision": 16}, "precision must be of type str, got 16"),
        ({"schedule": "cosine"}, "schedule='cosine' needs max_epochs"),
        ({"weight_decay": [-1.0]}, "none of them negative"),
        ({"improvement": 1.0}, "improvement must be at least 0 and less than 1, got 1.0"),
        ({"holdout_share": 0.6}, "holdout_share must lie above 0, up to 0.5, got 0.6"),
        ({"rollout_steps": 0}, "rollout_steps must be at least 1, got 0"),
        ({"rollout_steps": 5}, "own_schedule='linear' needs max_epochs"),
        ({"rollout_steps": 5, "own_inputs": 1.5}, r"own_inputs must lie in 0\.\.1, got 1.5"),
        (
            {"rollout_steps": 5, "own_schedule": "cosine"},
            "Unknown own_schedule 'cosine'. Valid: constant",
        ),
        ({"rollout_steps": 5, "own_kind": "mode"}, "Unknown own_kind 'mode'. Valid: mean, sample"),
        ({"own_inputs": 0.5}, "with rollout_steps=1 there is none"),
        ({"own_gradient": False}, "with rollout_steps=1 there is none"),
        ({"value_weight": -1.0}, "value_weight must be 0 or more, got -1.0"),
        ({"value_discount": 1.0}, "value_discount must be at least 0 and less than 1, got 1.0"),
        ({"value_discount": 0.5}, "value_discount=0.5 is about the values of a term that value_weight=0"),
        (
            {"value_weight": 1e-4, "rollout_steps": 5, "max_epochs": 1},
            "value_weight=0.0001 is for fits to single steps, not for rollout_steps=5",
        ),
        ({"seed": -1}, r"seed must lie in 0\.\.9223372036854775807, got -1"),
        ({"seed": 2**70}, r"seed must lie in 0\.\."),
    ],
)
def test_invalid_fit_settings_are_refused(values: dict[str, Any], message: str) -> None:
    """With improvement=1 no epoch would count, and the fit would return its initial weights."""
    with pytest.raises(SettingsError, match=message):
        FitSettings.from_json(values)


def test_what_came_later_leaves_the_settings_of_earlier_files_as_they_were() -> None:
    later = {"rollout_steps", "own_inputs", "own_schedule", "own_kind", "own_gradient"}
    later |= {"value_weight", "value_discount"}
    assert not later & FitSettings().to_json().keys()
    assert not {"layer_norm", "activation"} & EnsembleSettings().to_json().keys()


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("probabilistic", [True, False])
def test_the_four_kinds_of_model_can_be_fitted(n_members: int, probabilistic: bool) -> None:
    settings = EnsembleSettings(n_members, n_elites=1, hidden=(8,), probabilistic=probabilistic)
    data = linear_transitions()
    ensemble = fit(data, settings, fit_settings=QUICK, progress=False).ensemble
    mean, std = ensemble.predict(data.obs, data.actions)
    assert mean.shape == std.shape == (n_members, len(data), 3)
    assert bool((std > 0).all()) is probabilistic
