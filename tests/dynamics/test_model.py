"""A user's model in every place that takes an ensemble."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.dynamics import (
    MODEL_KINDS,
    is_dynamics_model,
    load_model,
    read_model,
    read_model_card,
    save_model,
)
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.wrappers import UncertaintyPenalty
from tests.dynamics.own_model import LinearModel
from tests.toy import toy_ensemble, toy_transitions

WEIGHT = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 1.0]])  # reward 2a, Δobs (obs₀, a)
MODEL_KINDS.register("tests/linear", LinearModel)


def options(**changes: Any) -> dict[str, Any]:
    model = LinearModel(WEIGHT, 2, std=1e-6)
    return {"dataset": toy_transitions(), "model": model, "termination": "never", **changes}


def test_it_is_a_dynamics_model() -> None:
    assert is_dynamics_model(LinearModel(WEIGHT, 2))


def test_members_that_a_torch_module_keeps_as_buffers_count() -> None:
    """They are neither in the class nor the object's own attributes, where Python 3.12 looks for them."""
    ensemble = toy_ensemble()
    assert "elites" not in {*vars(ensemble), *dir(type(ensemble))}
    assert is_dynamics_model(ensemble)


@pytest.mark.parametrize("name", ["elites", "predict", "n_members"])
def test_what_lacks_a_member_is_none(name: str) -> None:
    names = {name: None for name in dir(LinearModel(WEIGHT, 2)) if not name.startswith("_")}
    assert is_dynamics_model(SimpleNamespace(**names))
    assert not is_dynamics_model(SimpleNamespace(**{key: None for key in names if key != name}))


@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0"])
@pytest.mark.parametrize("n_rows", [3, 1500])
def test_environments_step_it(env_id: str, n_rows: int) -> None:
    envs = gym.make_vec(env_id, num_envs=n_rows, **options(autoreset_mode="SameStep"))
    envs.reset(seed=0, options={"obs": np.ones((n_rows, 2), np.float32)})
    _, rewards, _, _, infos = envs.step(np.full((n_rows, 1), 0.5, np.float32))
    np.testing.assert_allclose(rewards, 1.0, atol=1e-4)
    np.testing.assert_allclose(infos["final_obs"], [[2.0, 1.5]] * n_rows, atol=1e-4)


def test_wrappers_measure_it() -> None:
    env = gym.make("LearnedModel-v0", **options(model=LinearModel(WEIGHT, 2, std=1.0)))
    wrapped = UncertaintyPenalty(env, penalty_coef=2.0)
    wrapped.reset(seed=0)
    assert wrapped.step(np.zeros(1, np.float32))[4]["penalty"] == pytest.approx(2 * 3**0.5)


def test_what_needs_an_ensemble_says_so() -> None:
    for changes, message in (
        ({"id": "PenalizedModel-v0", "penalty": "max_deviation"}, "compares members, but a single one"),
        ({"id": "PessimisticModel-v0"}, "at least two members"),
        ({"id": "AdversarialModel-v0"}, "An adversary changes an ensemble by its gradients, got LinearModel"),
        ({"id": "LearnedModel-v0", "precision": "bfloat16"}, "bfloat16.* ensemble, got LinearModel"),
    ):
        with pytest.raises(SettingsError, match=message):
            gym.make(**options(**changes))


def test_it_is_saved_and_read_like_an_ensemble(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(folder, LinearModel(WEIGHT, 2), transitions=toy_transitions())
    assert read_model_card(folder)["kind"] == "tests/linear"
    read = load_model(folder)
    assert isinstance(read, LinearModel)
    assert torch.equal(read.weight, WEIGHT)
    assert load_model(folder) is read
    env = gym.make("LearnedModel-v0", **options(model=str(folder)))
    assert env.unwrapped.ensemble is read  # type: ignore[attr-defined]
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated or altered"):
        read_model(folder)


class Unknown(LinearModel):
    """A class that is not registered."""


def test_an_unregistered_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MODEL_KINDS\.register\('my-kind', Unknown\)"):
        save_model(tmp_path / "model", Unknown(WEIGHT, 2))


def test_a_card_without_a_kind_is_that_of_an_ensemble(toy_model: str, tmp_path: Path) -> None:
    """Models of version 0.1.0 name none, and an unknown kind is not searched for elsewhere."""
    card = json.loads((Path(toy_model) / "model.json").read_text(encoding="utf-8"))
    assert card["kind"] == "ensemble"
