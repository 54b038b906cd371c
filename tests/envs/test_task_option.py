"""`task=` of the learned environments: they pay the task's reward, learned from relabelled data."""

import copy
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, save_model
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.registration import ENV_IDS
from offline_envs.tasks import find_task, relabel
from offline_envs.tasks.termination_rules import ant
from tests.tasks.simulated import padded, simulated
from tests.toy import toy_options

JUMP = "halfcheetah-jump:jump_weight=10"


def make(env_id: str = "LearnedModel-v0", *, vector: bool = False, **changes: Any) -> Any:
    """An environment of the smallest model of a cheetah, fitted if none is given."""
    options = {"dataset": simulated("HalfCheetah-v5").transitions, "termination": "never", "task": JUMP}
    if "model" not in changes:
        options |= {"ensemble": {"hidden": [8]}, "fit": {"max_epochs": 1}, "progress": False}
    return (gym.make_vec if vector else gym.make)(env_id, **{**options, **changes})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the right dimensions that was saved with the logged rewards."""
    folder = tmp_path_factory.mktemp("models") / "cheetah"
    data = simulated("HalfCheetah-v5").transitions
    save_model(folder, EnsembleDynamics(17, 6, settings=EnsembleSettings(hidden=(4,))), transitions=data)
    return folder


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("env_id", ENV_IDS)
def test_every_environment_takes_a_task(env_id: str, vector: bool) -> None:
    data = simulated("HalfCheetah-v5").transitions
    env = make(env_id, vector=vector)
    held = env.unwrapped.transitions
    assert torch.equal(held.rewards, relabel(data, JUMP).rewards)
    assert held.env_id == "HalfCheetahJump-v0"
    assert held.obs.data_ptr() == data.obs.data_ptr()


def test_the_model_is_fitted_to_the_rewards_of_the_task() -> None:
    """One weight and seed, other rewards: a model from the cache of the untouched data would be the same."""
    plain, task = (make(task=task).unwrapped.ensemble.state_dict() for task in (None, JUMP))
    assert any(not torch.equal(plain[name], task[name]) for name in plain)
    again = make(task=find_task(JUMP)).unwrapped.ensemble.state_dict()
    assert all(torch.equal(task[name], again[name]) for name in task)


def test_a_task_survives_gymnasiums_copies() -> None:
    env = make(task=find_task(JUMP))
    assert str(copy.deepcopy(env.spec).kwargs["task"]) == "halfcheetah-jump:jump_weight=10.0"


def test_contact_forces_are_not_observed() -> None:
    flat = simulated("Ant-v5", include_cfrc_ext_in_observation=False).transitions
    env = make(dataset=padded(flat, 78), task="ant-angle", termination=ant)
    assert env.observation_space.shape == (27,)


def test_a_model_of_other_rewards_is_warned_of(model: Path) -> None:
    with pytest.warns(UserWarning, match=r"was fitted to .*, not to .* relabelled for"):
        make(model=model)


def test_a_task_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="Unknown task 'jump'"):
        make(task="jump")
    with pytest.raises(DatasetError, match="needs observations of 17 dimensions"):
        gym.make("LearnedModel-v0", **toy_options(task=JUMP))
