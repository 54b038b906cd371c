"""Laws that every registered environment obeys."""

import copy
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import offline_envs
from offline_envs.envs import LearnedEnv, LearnedVectorEnv, check_vector_env
from offline_envs.errors import SettingsError
from offline_envs.registration import METHODS, TASK_ENV_IDS, TASKS
from tests.toy import toy_options

IDS = offline_envs.ENV_IDS
MODES = ["SameStep", "NextStep", "Disabled"]
OUTPUTS = ["numpy", "torch"]

OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "LearnedModel-v0": {"member": "episode"},
    "PenalizedModel-v0": {"penalty_coef": 0.5},
    "ConsistentModel-v0": {"penalty_coef": 0.5, "discriminator": {"steps": 3, "n_snapshots": 1}},
    "PessimisticModel-v0": {"threshold": {"quantile": 0.5}, "kappa": 30.0, "absorbing": True, "gamma": 0.9},
}
"""Settings of each id that differ from its defaults."""


@pytest.fixture
def files(toy_dataset: str, toy_model: str) -> dict[str, Any]:
    """Settings that are plain JSON."""
    return {"dataset": toy_dataset, "model": toy_model, "termination": "never"}


@pytest.fixture
def unbounded_observations() -> Iterator[None]:
    """A model may predict any observation, so infinite bounds are right, whatever the advice."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box observation space m(in|ax)imum value is -?infinity")
        yield


def rewards_of(env: gym.Env[Any, Any], n_steps: int = 5) -> list[float]:
    env.reset(seed=0)
    return [float(env.step(np.zeros(1, np.float32))[1]) for _ in range(n_steps)]


def vector_rewards_of(envs: Any, n_steps: int = 7) -> list[list[float]]:
    envs.reset(seed=0)
    return [envs.step(np.zeros((envs.num_envs, 1), np.float32))[1].tolist() for _ in range(n_steps)]


def test_every_environment_is_registered() -> None:
    assert IDS == (
        "LearnedModel-v0",
        "PenalizedModel-v0",
        "PessimisticModel-v0",
        "AdversarialModel-v0",
        "ConsistentModel-v0",
    )
    for env_id in IDS:
        spec = gym.spec(env_id)
        assert spec.entry_point
        assert spec.vector_entry_point


def test_the_real_environment_of_every_task_is_registered() -> None:
    assert {"HalfCheetahJump-v0", "AntAngle-v0", "HalfCheetahVelocity-v0"} <= set(TASK_ENV_IDS)
    for name, (env_id, _) in TASKS.items():
        assert gym.spec(env_id).kwargs == {"task": name}
    assert not set(TASK_ENV_IDS) & set(IDS)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.usefixtures("unbounded_observations")
def test_gymnasiums_checker_passes(env_id: str, files: dict[str, Any]) -> None:
    check_env(gym.make(env_id, **files).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines3s_checker_passes(env_id: str, files: dict[str, Any]) -> None:
    sb3_check_env(gym.make(env_id, **files), warn=True)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", IDS)
def test_vector_env_keeps_every_rule(env_id: str, mode: str, output: str, files: dict[str, Any]) -> None:
    envs = gym.make_vec(
        env_id, num_envs=3, autoreset_mode=mode, output=output, max_episode_steps=3, step_infos=True, **files
    )
    check_vector_env(envs, n_steps=20)


@pytest.mark.parametrize("env_id", IDS)
def test_two_copies_with_one_seed_agree(env_id: str) -> None:
    assert rewards_of(gym.make(env_id, **toy_options())) == rewards_of(gym.make(env_id, **toy_options()))
    first, second = (gym.make_vec(env_id, num_envs=3, **toy_options()) for _ in range(2))
    assert vector_rewards_of(first) == vector_rewards_of(second)


@pytest.mark.parametrize("env_id", IDS)
def test_single_env_is_rebuilt_from_its_spec(env_id: str, files: dict[str, Any]) -> None:
    """Rebuilt, the penalty is still applied exactly once."""
    files = {**files, **OWN_SETTINGS.get(env_id, {})}
    env = gym.make(env_id, max_episode_steps=7, **files)
    assert env.spec is not None
    through_json = EnvSpec.from_json(env.spec.to_json())
    assert through_json.kwargs == {**files, "method": METHODS[env_id][0]}
    for spec in (env.spec, through_json):
        again = gym.make(spec)
        assert again.spec == env.spec
        assert str(again) == str(env)
        assert isinstance(again.unwrapped, LearnedEnv)
        assert rewards_of(again, 7) == rewards_of(env, 7)


@pytest.mark.parametrize("env_id", IDS)
def test_vector_env_is_rebuilt_from_its_spec(env_id: str, files: dict[str, Any]) -> None:
    files = {**files, **OWN_SETTINGS.get(env_id, {})}
    envs = gym.make_vec(
        env_id, num_envs=3, max_episode_steps=4, autoreset_mode="NextStep", step_infos=True, **files
    )
    assert envs.spec is not None
    for spec in (envs.spec, EnvSpec.from_json(envs.spec.to_json())):
        again = gym.make_vec(spec)
        assert again.num_envs == 3
        assert again.metadata == envs.metadata
        assert isinstance(again.unwrapped, LearnedVectorEnv)
        assert vector_rewards_of(again) == vector_rewards_of(envs)


def test_specs_of_objects_are_rebuilt() -> None:
    """Data and models that are passed as objects are shared, never copied."""
    options = toy_options()
    env = gym.make("PenalizedModel-v0", **options)
    assert env.spec is not None
    again = gym.make(env.spec)
    assert again.unwrapped.ensemble is options["model"]  # type: ignore[attr-defined]
    assert rewards_of(again) == rewards_of(env)


def test_deep_copies_of_a_spec_cost_nothing() -> None:
    big = np.zeros((400_000, 2), np.float32)
    n = len(big)
    arrays = {"obs": big, "actions": np.zeros((n, 1)), "rewards": np.zeros(n), "next_obs": big}
    arrays |= {"terminated": np.zeros(n, bool), "episode_starts": np.array([0])}
    options = toy_options(dataset=offline_envs.load_transitions(arrays))
    env = gym.make("LearnedModel-v0", **options)
    start = time.perf_counter()
    for _ in range(20):
        copy.deepcopy(env.unwrapped.spec)
    assert time.perf_counter() - start < 0.1


@pytest.mark.parametrize("env_id", IDS)
def test_module_form_of_the_id_works_in_a_process_that_imports_nothing_else(
    env_id: str, files: dict[str, Any]
) -> None:
    options = {**files, **OWN_SETTINGS.get(env_id, {})}
    program = (
        "import gymnasium as gym\n"
        f"options = {options!r}\n"
        f"env = gym.make('offline_envs:{env_id}', **options); env.reset(seed=0)\n"
        f"envs = gym.make_vec('offline_envs:{env_id}', num_envs=2, **options); envs.reset(seed=0)\n"
        "print(env.spec.id, envs.spec.id, envs.num_envs)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [env_id, env_id, "2"]


def test_import_of_the_package_does_not_import_torch() -> None:
    program = "import sys, offline_envs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "offline_envs" in done.stdout.split(), done.stderr
    assert not {"torch", "minari", "stable_baselines3", "matplotlib", "mujoco"} & set(done.stdout.split())


def test_importing_twice_registers_once() -> None:
    offline_envs.registration.register_all()  # would warn of an overridden id


@pytest.mark.parametrize("name", ["autoreset_mode", "output", "step_infos"])
def test_a_setting_of_make_vec_is_explained_by_make(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name}= is a setting of gym\.make_vec"):
        gym.make("LearnedModel-v0", **toy_options(**{name: "x"}))


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("env_id", IDS)
def test_single_envs_may_be_stacked_by_gymnasium(
    env_id: str, mode: AutoresetMode, files: dict[str, Any]
) -> None:
    options = {**files, "max_episode_steps": 5}
    envs = gym.make_vec(
        env_id, num_envs=2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **options
    )
    check_vector_env(envs, n_steps=12)


def test_settings_that_make_vec_hands_on_are_ignored() -> None:
    gym.make_vec("LearnedModel-v0", num_envs=1, disable_env_checker=True, render_mode=None, **toy_options())
    gym.make("LearnedModel-v0", disable_env_checker=True, **toy_options())


def test_an_unknown_setting_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="penalty_coeff"):
        gym.make("PenalizedModel-v0", penalty_coeff=1.0, **toy_options())
    with pytest.raises(TypeError, match="penalty_coeff"):
        gym.make_vec("PenalizedModel-v0", num_envs=1, penalty_coeff=1.0, **toy_options())
