"""The `spread` setting, in single and vector environments of every method."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions
from offline_envs.dynamics import FitSettings, Prediction, fit, fitted_spread, save_model
from offline_envs.envs import ModelOptions, assemble
from offline_envs.errors import SettingsError
from offline_envs.mdp import SAMPLERS, SpreadSampler
from offline_envs.registration import ENV_IDS
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions
from tests.toy import ELITES, MEANS, STDS, toy_ensemble, toy_options, toy_transitions

N = 6
ACTIONS = np.zeros((N, 1), np.float32)


def outcomes(
    env_id: str, **changes: Any
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], dict[str, Any]]:
    """First observations, and second ones with their rewards and infos, of some toy episodes."""
    envs = gym.make_vec(env_id, num_envs=N, step_infos=True, **toy_options(**changes))
    first, _ = envs.reset(seed=3)
    second, _, _, _, infos = envs.step(ACTIONS)
    return first, np.column_stack([infos["raw_reward"], second - first]), infos


@pytest.mark.parametrize("env_id", sorted({*ENV_IDS} - {"ConsistentModel-v0"}))
@pytest.mark.parametrize("member", ["step", "episode"])
def test_outcomes_move_towards_the_mean_by_the_factor(env_id: str, member: str) -> None:
    """Elites 2 and 0 of the toy: the same draws, scaled about the average of their means."""
    options: dict[str, Any] = {"member": member, "start": "dataset"}
    if env_id == "PessimisticModel-v0":
        options["threshold"] = {"max_over": 0.001}  # nothing halts
    start, plain, infos = outcomes(env_id, **options)
    same_start, scaled, scaled_infos = outcomes(env_id, spread=0.25, **options)
    centre = np.array(MEANS)[list(ELITES)].mean(axis=0)
    np.testing.assert_array_equal(start, same_start)
    np.testing.assert_allclose(scaled, centre + 0.25 * (plain - centre), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(infos["penalty"], scaled_infos["penalty"])


@pytest.mark.parametrize("env_id", sorted(ENV_IDS))
def test_a_factor_of_one_is_the_environment_without_it(env_id: str) -> None:
    mdp = gym.make_vec(env_id, num_envs=1, **toy_options(spread=1)).unwrapped.mdp  # type: ignore[attr-defined]
    default = gym.make_vec(env_id, num_envs=1, **toy_options()).unwrapped.mdp  # type: ignore[attr-defined]
    assert type(mdp.sampler) is type(default.sampler)
    assert not isinstance(mdp.sampler, SpreadSampler)


def test_candidates_are_drawn_from_the_scaled_mixture() -> None:
    """Chosen among before they were scaled, they would be judged as other steps than they become."""
    _, scaled, _ = outcomes("ConsistentModel-v0", spread=1e-6)
    centre = np.array(MEANS)[list(ELITES)].mean(axis=0)
    np.testing.assert_allclose(scaled, np.tile(centre, (N, 1)), rtol=1e-4, atol=1e-4)


def endless(n: int) -> Transitions:
    """The linear system as one episode without an end."""
    return replace(linear_transitions(n), terminated=torch.zeros(n, dtype=torch.bool))


def saved_model(folder: Path) -> Path:
    transitions = endless(400)
    ensemble, report = fit(transitions, TINY, fit_settings=QUICK, progress=False)
    save_model(folder, ensemble, transitions=transitions, fit_settings=QUICK, report=report)
    return folder


def test_the_factor_is_fitted_to_the_rows_held_out(tmp_path: Path) -> None:
    """Computed here from the rows that the split gives; rows of the fit would flatter the model."""
    transitions = endless(400)
    folder = saved_model(tmp_path / "model")
    options = ModelOptions(model=str(folder), termination="never", spread="calibrated")
    assembly = assemble(transitions, options=options)
    sampler, model = assembly.mdp.sampler, assembly.model
    order = torch.randperm(400, generator=_split_generator(QUICK))
    rows = order[-min(QUICK.holdout, 80) :]
    true = torch.cat([transitions.rewards[rows, None], transitions.next_obs[rows] - transitions.obs[rows]], 1)
    mean, std = model.predict(transitions.obs[rows], transitions.actions[rows])
    expected = fitted_spread(Prediction(mean[model.elites], std[model.elites]), true)
    assert isinstance(sampler, SpreadSampler)
    assert sampler.factor == pytest.approx(expected, rel=1e-6)
    assert sampler.factor != pytest.approx(1.0, rel=0.01)
    assert sampler.sampler is SAMPLERS["step"]


def test_the_factor_is_fitted_to_the_outputs_that_are_sampled(tmp_path: Path) -> None:
    """A known reward and a known column leave the second column alone, whatever the model makes of them."""
    transitions = endless(400)
    folder = saved_model(tmp_path / "model")
    options = ModelOptions(model=str(folder), termination="never", spread="calibrated")

    def paid(obs: torch.Tensor, action: torch.Tensor, next_obs: torch.Tensor) -> torch.Tensor:
        return 100 * next_obs[:, 0]

    whole = assemble(transitions, options=options).mdp.sampler
    known = replace(options, reward=paid, known={0: "replayed"})
    assembly = assemble(transitions, options=known)
    sampler, model = assembly.mdp.sampler, assembly.model
    rows = torch.randperm(400, generator=_split_generator(QUICK))[-min(QUICK.holdout, 80) :]
    true = (transitions.next_obs - transitions.obs)[rows, 1:]
    mean, std = model.predict(transitions.obs[rows], transitions.actions[rows])
    expected = fitted_spread(Prediction(mean[model.elites, :, 2:], std[model.elites, :, 2:]), true)
    assert isinstance(sampler, SpreadSampler)
    assert isinstance(whole, SpreadSampler)
    assert sampler.factor == pytest.approx(expected, rel=1e-6)
    assert sampler.factor != pytest.approx(whole.factor, rel=0.001)


def test_nothing_is_calibrated_where_everything_is_known(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "model")
    everything = ModelOptions(
        model=str(folder),
        termination="never",
        spread="calibrated",
        reward=lambda obs, action, next_obs: obs[:, 0],
        known={0: "replayed", 1: "replayed"},
    )
    assert not isinstance(assemble(endless(400), options=everything).mdp.sampler, SpreadSampler)


def _split_generator(fit_settings: FitSettings) -> torch.Generator:
    state = np.random.SeedSequence([fit_settings.seed, 0]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


def test_a_model_that_is_fitted_now_is_calibrated_too() -> None:
    options = ModelOptions(
        termination="never",
        spread="calibrated",
        ensemble=TINY.to_json(),
        fit=QUICK.to_json(),
        progress=False,
    )
    first, again = (assemble(endless(400), options=options).mdp.sampler for _ in range(2))
    assert isinstance(first, SpreadSampler)
    assert isinstance(again, SpreadSampler)
    assert first.factor == again.factor


def test_unknown_rows_are_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SettingsError, match=r"not fitted to, but the model's card does not name.*spread=0\.7"
    ):
        assemble(toy_transitions(), options=ModelOptions(**_toy(spread="calibrated")))
    folder = saved_model(tmp_path / "model")
    options = ModelOptions(model=str(folder), termination="never", spread="calibrated")
    monkeypatch.setattr("offline_envs.envs.assembly.warn_of_other_data", lambda *args: None)
    with pytest.raises(SettingsError, match=r"fitted to another dataset, .*spread=0\.7"):
        assemble(endless(200), options=options)


@pytest.mark.parametrize(
    ("spread", "message"),
    [
        ("calibrate", r"Unknown spread 'calibrate'\. Valid: a positive number, calibrated"),
        (0.0, "spread must be positive and finite, got 0.0"),
        (float("nan"), "spread must be positive and finite, got nan"),
        (None, "spread must be of type float | str, got None"),
    ],
)
def test_values_that_are_no_factor_are_refused(spread: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gym.make("LearnedModel-v0", **toy_options(spread=spread))


def test_members_without_a_variance_are_refused_before_the_fit() -> None:
    options = ModelOptions(spread="calibrated", ensemble={"probabilistic": False}, progress=False)
    with pytest.raises(SettingsError, match="needs members that predict a variance"):
        assemble(endless(100), options=options)


def _toy(**changes: Any) -> dict[str, Any]:
    options = toy_options(model=toy_ensemble(stds=STDS), **changes)
    options.pop("dataset")
    return options
