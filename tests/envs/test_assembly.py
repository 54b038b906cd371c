import warnings
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, float32, save_model
from offline_envs.envs import ModelOptions, assembly
from offline_envs.envs.assembly import assemble, resolve_model
from offline_envs.errors import CheckpointError, DatasetError, SettingsError
from tests.toy import PENALTIES, toy_ensemble, toy_options, toy_transitions

TINY = {"ensemble": {"n_members": 2, "n_elites": 1, "hidden": [4]}, "fit": {"max_epochs": 1, "holdout": 2}}


@pytest.mark.parametrize(("penalty", "members"), PENALTIES)
def test_penalties_of_the_toy_are_those_worked_out_by_hand(penalty: str, members: str) -> None:
    envs = gym.make_vec(
        "PenalizedModel-v0",
        num_envs=3,
        penalty=penalty,
        penalty_members=members,
        penalty_coef=0.5,
        step_infos=True,
        **toy_options(),
    )
    envs.reset(seed=0)
    infos = envs.step(np.zeros((3, 1), np.float32))[4]
    assert infos["penalty"] == pytest.approx([PENALTIES[penalty, members] / 2] * 3, rel=1e-6)


def test_default_is_the_penalty_of_mopos_release() -> None:
    env = gym.make("PenalizedModel-v0", **toy_options())
    env.reset(seed=0)
    assert env.step(np.zeros(1, np.float32))[4]["penalty"] == pytest.approx(7.0)


def test_a_model_is_fitted_once_and_found_again() -> None:
    options = toy_options(dataset=[toy_transitions()] * 10, model=None, progress=False, **TINY)
    dataset = options.pop("dataset")
    first = assemble(dataset, options=ModelOptions(**options)).model
    assert first.n_members == 2
    assert assemble(dataset, options=ModelOptions(**options)).model is first


def test_a_fit_in_another_folder(tmp_path: Any) -> None:
    options = toy_options(dataset=[toy_transitions()] * 10, model=None, progress=False, **TINY)
    dataset = options.pop("dataset")
    assemble(dataset, options=ModelOptions(**options, cache_dir=str(tmp_path / "mine")))
    assert list((tmp_path / "mine").rglob("model.json"))


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_a_model_of_other_rewards_is_warned_of(make: Any, tmp_path: Any) -> None:
    """The same states with other rewards have the same name; only the model's own data pass in silence."""
    data = toy_transitions()
    others = replace(data, rewards=-1000 * data.rewards)
    save_model(tmp_path / "model", toy_ensemble(), transitions=data)
    with pytest.warns(UserWarning, match=r"not to .* \(other data of the same name\): it predicts"):
        make("LearnedModel-v0", **toy_options(dataset=others, model=str(tmp_path / "model")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make("LearnedModel-v0", **toy_options(dataset=data, model=str(tmp_path / "model")))


def test_a_model_on_another_device_is_copied_not_moved() -> None:
    """An ensemble may be shared by environments on several devices."""
    ensemble = toy_ensemble()
    other = resolve_model(ensemble, 2, 1, device="meta")
    assert other is not ensemble
    assert other.elites.device.type == "meta"
    assert ensemble.elites.device.type == "cpu"
    assert resolve_model(ensemble, 2, 1, device="cpu") is ensemble


def deterministic_ensemble() -> EnsembleDynamics:
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(4,), probabilistic=False)
    return EnsembleDynamics(2, 1, settings=settings).requires_grad_(False)


def single_ensemble() -> EnsembleDynamics:
    return toy_ensemble(((0.0, 0.0, 0.0),), ((1.0, 1.0, 1.0),), elites=(0,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "tpu9"}, "device='tpu9' cannot be used"),
        ({"start": "anywhere"}, r"Unknown start 'anywhere'\. Valid: dataset, initial"),
        ({"termination": "sometimes"}, "Unknown termination 'sometimes'"),
        ({"termination": "auto"}, "toy does not name its environment, so no termination rule is known"),
        ({"ensemble": {"n_members": 9}}, "model= is already fitted"),
        ({"model": None, "ensemble": {"width": 3}}, "Unknown setting of EnsembleSettings 'width'"),
        ({"model": None, "fit": {"epochs": 3}}, "Unknown setting of FitSettings 'epochs'"),
        (
            {"model": toy_ensemble(((0.0, 0.0),), ((1.0, 1.0),), (0,))},
            "1 observation and 1 action dimensions",
        ),
        ({"penalty_coef": -0.1}, "penalty_coef must be 0 or more"),
        ({"penalty": "doubt"}, "Unknown penalty 'doubt'"),
        ({"penalty_members": "voters"}, "Unknown penalty_members 'voters'"),
        ({"precision": "float16"}, "Unknown precision 'float16'"),
        ({"model": deterministic_ensemble()}, "penalty='max_std' needs members that predict a variance"),
        ({"model": single_ensemble(), "penalty": "ensemble_std"}, "a single one is measured"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    options = toy_options(**changes)
    with pytest.raises(SettingsError, match=message):
        gym.make("PenalizedModel-v0", **options)
    with pytest.raises(SettingsError, match=message):
        gym.make_vec("PenalizedModel-v0", num_envs=2, **options)


SINGLE = {"n_members": 1, "n_elites": 1}


def unrewarded() -> Transitions:
    data = toy_transitions()
    return replace(data, rewards=0 * data.rewards)


@pytest.mark.parametrize(
    ("env_id", "changes", "message"),
    [
        ("PessimisticModel-v0", {"ensemble": SINGLE}, "a single one is compared"),
        ("PessimisticModel-v0", {"ensemble": {"n_elites": 1}, "halt_members": "elites"}, "a single one is"),
        ("PenalizedModel-v0", {"ensemble": SINGLE, "penalty": "ensemble_std"}, "a single one is measured"),
        (
            "PenalizedModel-v0",
            {"ensemble": {"n_elites": 1}, "penalty": "max_deviation", "penalty_members": "elites"},
            "a single one is measured",
        ),
        (
            "PenalizedModel-v0",
            {"ensemble": {"probabilistic": False}},
            "needs members that predict a variance",
        ),
        ("AdversarialModel-v0", {"ensemble": {"probabilistic": False}}, "needs members that predict a var"),
        ("AdversarialModel-v0", {"ensemble": {"spectral_norm": True}}, "does not keep the spectral norm"),
        ("PenalizedModel-v0", {"dataset": unrewarded(), "penalty_scale": "reward"}, "all its rewards are 0"),
        (
            "ConsistentModel-v0",
            {"dataset": unrewarded(), "penalty_coef": 1.0, "penalty_scale": "reward"},
            "all its rewards are 0",
        ),
    ],
)
def test_pessimism_that_an_ensemble_cannot_have_is_refused_before_its_fit(
    env_id: str, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit may take hours."""
    monkeypatch.setattr(assembly, "fitted_ensemble", None)  # which cannot be called
    with pytest.raises(SettingsError, match=message):
        gym.make(env_id, **toy_options(model=None, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"output": "Torch"}, "Unknown output 'Torch'"),
        ({"autoreset_mode": "Never"}, "Unknown autoreset_mode 'Never'"),
        ({"max_episode_steps": 0}, "max_episode_steps must be at least 1"),
        ({"step_infos": "no"}, "step_infos must be of type bool"),
        ({"capture": 2}, "capture must be of type bool"),
    ],
)
def test_settings_of_vector_environments_are_refused_before_a_fit(
    changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "fitted_ensemble", None)  # which cannot be called
    with pytest.raises(SettingsError, match=message):
        gym.make_vec("LearnedModel-v0", **{"num_envs": 2, **toy_options(model=None, **changes)})


def test_a_disagreement_of_one_elite_is_refused() -> None:
    options = toy_options(model=toy_ensemble(elites=(1,)), penalty="max_deviation")
    gym.make("PenalizedModel-v0", **options)
    with pytest.raises(SettingsError, match="a single one is measured"):
        gym.make("PenalizedModel-v0", penalty_members="elites", **options)


def test_one_kernel_for_all_layers_is_taken_on_demand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, predict = list[Any](), float32

    def fused(model: Any, precision: str) -> Any:
        asked.append((model, precision))
        return predict

    monkeypatch.setattr(assembly, "fused_or_plain", fused)
    options = ModelOptions(model=toy_ensemble(), termination="never", precision="bfloat16")
    assert assemble(toy_transitions(), options=options).mdp.members.predictor is not predict
    assert not asked
    found = assemble(toy_transitions(), options=replace(options, fused=True)).mdp.members
    assert found.predictor is predict
    assert asked == [(found.model, "bfloat16")]


def test_without_a_gpu_steps_stay_plain_and_say_so() -> None:
    options = ModelOptions(model=toy_ensemble(), termination="never", fused=True)
    with pytest.warns(UserWarning, match=r"fused=True has no effect: .* the model is on cpu"):
        made = assemble(toy_transitions(), options=options)
    assert made.mdp.members.predictor is float32


def test_a_folder_without_a_model_is_refused(tmp_path: Any) -> None:
    with pytest.raises(CheckpointError, match="not a model"):
        gym.make("LearnedModel-v0", **toy_options(model=str(tmp_path)))


def test_a_dataset_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DatasetError):
        gym.make("LearnedModel-v0", **toy_options(dataset="nowhere.npz"))


def test_deterministic_members_serve_the_other_measures() -> None:
    env = gym.make(
        "PenalizedModel-v0", penalty="max_deviation", **toy_options(model=deterministic_ensemble())
    )
    env.reset(seed=0, options={"obs": [1.0, 1.0]})
    assert env.step(np.zeros(1, np.float32))[4]["penalty"] > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_same_penalties_on_a_gpu() -> None:
    envs = gym.make_vec(
        "PenalizedModel-v0", num_envs=3, device="cuda", output="torch", step_infos=True, **toy_options()
    )
    obs, _ = envs.reset(seed=0)
    assert obs.device.type == "cuda"
    infos = envs.step(torch.zeros(3, 1, device="cuda"))[4]
    assert infos["penalty"].tolist() == pytest.approx([7.0] * 3)
