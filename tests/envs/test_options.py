"""Settings of the wrong type are refused where they are declared, before any work."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import ModelOptions
from offline_envs.errors import SettingsError
from tests.toy import toy_options

WRONG = [
    ({"device": None}, "device must be of type str, got None"),
    ({"model": 3}, r"model must be of type str \| Path \| DynamicsModel \| function \| None, got 3"),
    ({"termination": 3}, r"termination must be of type str \| function, got 3"),
    ({"start": 3}, "start must be of type str, got 3"),
    ({"member": 3}, "Unknown member 3"),
    ({"env_id": 3}, "env_id must be of type .*, got 3"),
    ({"task": 3}, r"task must be of type str \| Task \| None, got 3"),
    ({"progress": "no"}, "progress must be of type bool, got 'no'"),
    ({"cache_dir": 3}, r"cache_dir must be of type str \| Path \| None, got 3"),
    ({"model": None, "ensemble": 3}, r"ensemble must be of type Mapping\[str, Any\] \| None, got 3"),
    ({"model": None, "ensemble": {"hidden": "200"}}, r"hidden must be of type tuple\[int, ...\], got '200'"),
    ({"model": None, "fit": {"max_epochs": "1"}}, r"max_epochs must be of type int \| None, got '1'"),
    ({"model": None, "fit": {"weight_decay": []}}, "weight_decay must hold at least one number"),
    ({"model": None, "fit": {"seed": 2**70}}, "seed must lie in 0"),
    ({"model": None, "fit": {"bound_weight": float("nan")}}, "bound_weight must be finite"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_settings_of_every_environment(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make("LearnedModel-v0", **toy_options(**changes))


@pytest.mark.parametrize(
    ("env_id", "changes", "message"),
    [
        ("PenalizedModel-v0", {"penalty_coef": "1"}, "penalty_coef must be of type float, got '1'"),
        ("PenalizedModel-v0", {"penalty_coef": None}, "penalty_coef must be of type float, got None"),
        ("PessimisticModel-v0", {"absorbing": "no"}, "absorbing must be of type bool, got 'no'"),
        ("PessimisticModel-v0", {"gamma": "0.99"}, "gamma must be of type float, got '0.99'"),
        ("PessimisticModel-v0", {"threshold": {"mean_std": "5"}}, "mean_std.*'5'"),
    ],
)
def test_settings_of_a_method(env_id: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gym.make(env_id, **toy_options(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_episode_steps": "5"}, r"max_episode_steps must be of type int \| None, got '5'"),
        ({"output": None}, "output must be of type str, got None"),
        ({"step_infos": 1}, "step_infos must be of type bool, got 1"),
        ({"capture": "no"}, "capture must be of type bool, got 'no'"),
        ({"autoreset_mode": 3}, "Unknown autoreset_mode 3"),
        ({"num_envs": 2.0}, "num_envs must be of type int, got 2.0"),
    ],
)
def test_settings_of_a_vector_environment(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gym.make_vec("LearnedModel-v0", **toy_options(**{"num_envs": 2, **changes}))


def test_what_means_the_same_is_taken() -> None:
    assert ModelOptions(device=torch.device("cpu")).device == "cpu"  # type: ignore[arg-type]
    n: Any = np.int64(2)
    envs = gym.make_vec("PenalizedModel-v0", n, **toy_options(penalty_coef=np.float32(0.5)))
    assert envs.num_envs == 2
    assert envs.unwrapped.method.penalty_coef == 0.5  # type: ignore[attr-defined]


def test_without_progress_a_learned_termination_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    gym.make("LearnedModel-v0", **toy_options(termination="learned", progress=False))
    assert capsys.readouterr().err == ""
