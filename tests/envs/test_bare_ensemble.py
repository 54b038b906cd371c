"""What needs the ensemble itself beside known outputs and other models: refused before a fit begins."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import load_transitions
from offline_envs.envs import assembly
from offline_envs.errors import SettingsError
from tests.dynamics.own_model import LinearModel
from tests.toy import toy_options, toy_transitions

ADVERSARIAL: tuple[str, dict[str, Any]] = ("AdversarialModel-v0", {})
ROUNDED: tuple[str, dict[str, Any]] = ("LearnedModel-v0", {"precision": "bfloat16"})
RULES = {
    "AdversarialModel-v0": "An adversary changes an ensemble by its gradients",
    "LearnedModel-v0": "precision='bfloat16' rounds the hidden layers of an ensemble",
}


def paid(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del action, next_obs  # Unused.
    return -obs.sum(dim=1)


@pytest.fixture
def unfitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "fitted_ensemble", None)  # which cannot be called


@pytest.mark.usefixtures("unfitted")
@pytest.mark.parametrize(("env_id", "options"), [ADVERSARIAL, ROUNDED])
@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"reward": paid}, "reward="),
        ({"known": {1: "kept"}}, "known="),
        ({"history": 2}, "history=2"),
        ({"reward": paid, "known": {1: "kept"}}, "reward= and known="),
        ({"dataset": load_transitions(toy_transitions(), history=2)}, "history=2"),
    ],
)
def test_known_outputs_are_refused_before_the_fit(
    env_id: str, options: dict[str, Any], changes: dict[str, Any], names: str
) -> None:
    """A fit may take hours, and nobody has heard of the models that known outputs are kept in."""
    rule = f"{RULES[env_id]}, all of whose outputs are learned, got {names}: .* Leave {names} out"
    with pytest.raises(SettingsError, match=rule):
        gym.make(env_id, **toy_options(model=None, **options, **changes))


@pytest.mark.parametrize(("env_id", "options"), [ADVERSARIAL, ROUNDED])
def test_another_model_is_refused_before_the_first_step(env_id: str, options: dict[str, Any]) -> None:
    rule = f"{RULES[env_id]}, got LinearModel. Give the model= of an ensemble"
    with pytest.raises(SettingsError, match=rule):
        gym.make(env_id, **toy_options(model=LinearModel(torch.zeros(3, 3), 2), **options))


@pytest.mark.parametrize(("env_id", "options"), [ADVERSARIAL, ROUNDED])
def test_an_ensemble_with_nothing_known_is_taken(env_id: str, options: dict[str, Any]) -> None:
    env = gym.make(env_id, **toy_options(known={}, **options))
    env.reset(seed=0)
    assert np.isfinite(env.step(np.zeros(1, np.float32))[0]).all()
