"""The ids of tasks in `gym.make`: what it makes and what it refuses."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.registration import TASK_ENV_IDS, TASKS
from offline_envs.tasks.base_class import base_class, task_keywords
from offline_envs.tasks.finding import task_settings

MakeEnv = Callable[..., gym.Env[Any, Any]]


def rewards_of(env: Any, n_steps: int = 5) -> list[float]:
    env.reset(seed=0)
    env.action_space.seed(0)
    return [float(env.step(env.action_space.sample())[1]) for _ in range(n_steps)]


@pytest.mark.parametrize("env_id", TASK_ENV_IDS)
def test_gymnasiums_checker_passes(make_env: MakeEnv, env_id: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box observation space m(in|ax)imum value is -?infinity")
        check_env(make_env(env_id).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", TASK_ENV_IDS)
def test_stable_baselines3s_checker_passes(make_env: MakeEnv, env_id: str) -> None:
    sb3_check_env(make_env(env_id), warn=True)


@pytest.mark.parametrize("name", TASKS)
def test_an_environment_is_made_again_from_its_spec(make_env: MakeEnv, name: str) -> None:
    """Datasets carry the spec: whatever it lacks is lost to an evaluation."""
    settings = {n: (not v if isinstance(v, bool) else v + 0.3) for n, v in task_settings(name).items()}
    env: Any = make_env(TASKS[name][0], max_episode_steps=7, reset_noise_scale=0.2, **settings)
    assert env.spec.kwargs == {"task": name, "reset_noise_scale": 0.2, **settings}
    for spec in (env.spec, EnvSpec.from_json(env.spec.to_json())):
        again: Any = make_env(spec)
        assert again.spec == env.spec
        assert str(again) == str(env)
        assert again.unwrapped.task.settings == env.unwrapped.task.settings == settings
        assert rewards_of(again) == rewards_of(env)


def test_settings_of_the_task_change_the_reward_and_those_of_the_base_the_physics(make_env: MakeEnv) -> None:
    plain, paid = make_env("AntAngle-v0"), make_env("AntAngle-v0", survive_bonus=1)
    np.testing.assert_allclose(np.subtract(rewards_of(paid), rewards_of(plain)), 1.0, atol=1e-12)
    still = make_env("AntAngle-v0", reset_noise_scale=0.0)
    assert still.reset(seed=0)[0][0] == 0.75


def test_episodes_end_by_the_keywords_of_the_base(make_env: MakeEnv) -> None:
    zeros = np.zeros(8, dtype=np.float32)
    for keywords, ends in [({}, False), ({"healthy_z_range": (0.8, 1.0)}, True)]:
        env = make_env("AntAngle-v0", reset_noise_scale=0.0, **keywords)
        env.reset(seed=0)
        assert env.step(zeros)[2] is ends
    endless = make_env("AntAngle-v0", healthy_z_range=(0.8, 1.0), terminate_when_unhealthy=False)
    endless.reset(seed=0)
    assert endless.step(zeros)[2] is False


def test_episodes_are_cut_after_a_thousand_steps(make_env: MakeEnv) -> None:
    for env_id in TASK_ENV_IDS:
        spec = make_env(env_id).spec
        assert spec is not None
        assert spec.max_episode_steps == 1000


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasium_makes_many(make_env: MakeEnv, mode: str) -> None:
    envs = gym.make_vec("AntAngle-v0", num_envs=2, vectorization_mode=mode, degrees=90)
    assert isinstance(envs, SyncVectorEnv if mode == "sync" else AsyncVectorEnv)
    envs.reset(seed=[0, 1])
    actions = np.full((2, 8), 0.5, dtype=np.float32)
    _, rewards, _, _, infos = envs.step(actions)
    np.testing.assert_allclose(rewards, infos["y_velocity"] - 1.0, atol=1e-12)
    np.testing.assert_allclose(infos["reward_ctrl"], -1.0)
    singles = [make_env("AntAngle-v0", degrees=90) for _ in range(2)]
    for seed, env in enumerate(singles):
        env.reset(seed=seed)
    assert rewards.tolist() == [env.step(actions[0])[1] for env in singles]
    envs.close()


def test_the_module_form_of_the_id_works_in_a_process_that_imports_nothing_else() -> None:
    program = (
        "import gymnasium as gym\n"
        "envs = gym.make_vec('offline_envs:AntAngle-v0', num_envs=2, degrees=45)\n"
        "print(envs.spec.id, envs.get_attr('task')[1])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["AntAngle-v0", "ant-angle:degrees=45.0"]


def test_frames_are_collected_where_the_base_has_them_collected(make_env: MakeEnv) -> None:
    """Without the render modes of the class `gym.make` hands "rgb_array_list" to MuJoCo, which lacks it."""
    env = make_env("HalfCheetahJump-v0", render_mode="rgb_array_list", width=64)
    assert env.render_mode == "rgb_array_list"
    assert env.unwrapped.render_mode == "rgb_array"
    assert env.metadata["render_fps"] == 20
    assert env.unwrapped.width == 64  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["forward_reward_weight", "ctrl_cost_weight", "contact_cost_weight", "healthy_reward"]
)
def test_weights_of_the_bases_reward_are_refused(name: str) -> None:
    """Silently ignored, they would seem to have been tried."""
    message = rf"{name} of Ant-v5 does nothing\. Its own settings: degrees, control_cost, survive_bonus\."
    keywords: Any = {name: 0.0}
    with pytest.raises(SettingsTypeError, match=message):
        gym.make("AntAngle-v0", **keywords)


@pytest.mark.parametrize("name", ["jump_weight", "model_path", "observation_space", "self", "autoreset_mode"])
def test_unknown_keywords_are_refused_with_the_valid_ones(name: str) -> None:
    keywords: Any = {name: 1.0}
    with pytest.raises(
        SettingsTypeError, match=rf"Unknown setting of AntAngle-v0 '{name}'\. Valid:"
    ) as refusal:
        gym.make("AntAngle-v0", **keywords)
    valid = str(refusal.value).split("Valid: ")[1].split(".")[0].split(", ")
    assert {"degrees", "healthy_z_range", "xml_file", "camera_name", "render_mode"} <= set(valid)
    assert not {"ctrl_cost_weight", "healthy_reward", "model_path", "kwargs", "self"} & set(valid)


def test_the_id_of_one_task_does_not_make_another() -> None:
    """Its spec would name a reward that it does not have."""
    with pytest.raises(SettingsError, match=r"AntAngle-v0 has the reward of .*got task='halfcheetah-jump'"):
        gym.make("AntAngle-v0", task="halfcheetah-jump")


def test_settings_of_a_wrong_type_are_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"degrees of a task must be a finite number, e\.g\. 30\.0, got 'x'"
    ):
        gym.make("AntAngle-v0", degrees="x")


@pytest.mark.parametrize("name", TASKS)
def test_no_setting_hides_a_keyword_of_the_base(make_env: MakeEnv, name: str) -> None:
    """One name with two meanings could only reach one of them."""
    env: Any = make_env(TASKS[name][0]).unwrapped
    assert not task_settings(name).keys() & (task_keywords(base_class(env.task.base_env_id)) | {"task"})
