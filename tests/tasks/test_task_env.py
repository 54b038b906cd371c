"""The real environments of tasks, compared with a bare simulator stepped with the same actions."""

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

from offline_envs.errors import SettingsError
from offline_envs.registration import TASK_ENV_IDS
from offline_envs.tasks import find_task, known_tasks
from offline_envs.tasks.base_class import base_class
from offline_envs.tasks.task_env import TaskEnv, real_env

MakeEnv = Callable[..., gym.Env[Any, Any]]
N_STEPS = 60


def x_y_z(bare: Any) -> NDArray[np.float64]:
    """Where the torso is: x and y as the simulator measures velocities, which for Ant is the body's frame."""
    if bare.spec.id == "Ant-v5":
        return np.array([*bare.data.xpos[1, :2], bare.data.qpos[2]])
    return np.array([bare.data.qpos[0], 0.0, bare.data.qpos[1]])


def side_by_side(task_env: Any, bare: Any) -> Iterator[tuple[Any, Any, NDArray[np.float64], float, float]]:
    """Steps of both, with the bare simulator's velocities, its height and the squared action."""
    task_env.reset(seed=3)
    bare.reset(seed=3)
    bare.action_space.seed(3)
    for _ in range(N_STEPS):
        action = bare.action_space.sample()
        before, dt = x_y_z(bare), bare.model.opt.timestep * bare.frame_skip
        stepped, expected = task_env.step(action), bare.step(action)
        velocities = (x_y_z(bare) - before) / dt
        yield stepped, expected, velocities, x_y_z(bare)[2], float((action.astype(np.float64) ** 2).sum())
        if expected[2]:
            task_env.reset(seed=4)
            bare.reset(seed=4)


def bare_of(make_env: MakeEnv, task: str, **kwargs: Any) -> Any:
    found = find_task(task)
    return make_env(found.base_env_id, **found.base_kwargs, **kwargs).unwrapped


@pytest.mark.parametrize("max_speed", [3.0, 0.1])
def test_the_cheetah_is_rewarded_for_running_and_for_its_height(make_env: MakeEnv, max_speed: float) -> None:
    capped = []
    task_env = make_env("HalfCheetahJump-v0", max_speed=max_speed)
    for stepped, _, velocities, height, effort in side_by_side(
        task_env, bare_of(make_env, "halfcheetah-jump")
    ):
        by_hand = min(velocities[0], max_speed) - 0.1 * effort + 15.0 * height
        assert stepped[1] == pytest.approx(by_hand, abs=1e-12)
        capped.append(velocities[0] > max_speed)
    assert any(capped) == (max_speed == 0.1)


def test_the_cheetah_without_weight_of_height_is_rewarded_for_running(make_env: MakeEnv) -> None:
    task_env = make_env("HalfCheetahJump-v0", jump_weight=0)
    for stepped, _, velocities, _, effort in side_by_side(task_env, bare_of(make_env, "halfcheetah-jump")):
        assert stepped[1] == pytest.approx(min(velocities[0], 3.0) - 0.1 * effort, abs=1e-12)


def test_the_cheetah_is_rewarded_for_keeping_a_speed(make_env: MakeEnv) -> None:
    task_env = make_env("HalfCheetahVelocity-v0", target_speed=-0.5)
    for stepped, _, velocities, _, effort in side_by_side(task_env, bare_of(make_env, "halfcheetah-jump")):
        assert stepped[1] == pytest.approx(-abs(velocities[0] + 0.5) - 0.1 * effort, abs=1e-12)


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_the_ant_is_rewarded_for_walking_at_an_angle(make_env: MakeEnv, degrees: float) -> None:
    direction = {0.0: (1.0, 0.0), 30.0: (np.sqrt(0.75), 0.5), 90.0: (0.0, 1.0)}[degrees]
    task_env = make_env("AntAngle-v0", degrees=degrees, survive_bonus=1)
    for stepped, _, velocities, height, effort in side_by_side(task_env, bare_of(make_env, "ant-angle")):
        survived = float(0.2 <= height <= 1.0)
        by_hand = direction[0] * velocities[0] + direction[1] * velocities[1] - 0.5 * effort + survived
        assert stepped[1] == pytest.approx(by_hand, abs=1e-12)


def test_velocities_are_per_second_whatever_the_step(make_env: MakeEnv) -> None:
    task_env = make_env("HalfCheetahVelocity-v0", target_speed=0, frame_skip=2)
    bare = bare_of(make_env, "halfcheetah-jump", frame_skip=2)
    for stepped, _, velocities, _, effort in side_by_side(task_env, bare):
        assert stepped[1] == pytest.approx(-abs(velocities[0]) - 0.1 * effort, abs=1e-12)


@pytest.mark.parametrize("env_id", TASK_ENV_IDS)
@pytest.mark.parametrize("physics", [{}, {"reset_noise_scale": 0.3}])
def test_all_but_the_reward_is_the_base_environments(
    make_env: MakeEnv, env_id: str, physics: dict[str, Any]
) -> None:
    task_env: Any = make_env(env_id, **physics).unwrapped
    bare = bare_of(make_env, task_env.task.name, **physics)
    assert task_env.observation_space == bare.observation_space
    assert task_env.action_space == bare.action_space
    assert task_env.metadata == bare.metadata
    assert task_env.observation_structure == bare.observation_structure
    np.testing.assert_array_equal(task_env.reset(seed=3)[0], bare.reset(seed=3)[0])
    for stepped, expected, *_ in side_by_side(task_env, bare):
        np.testing.assert_array_equal(stepped[0], expected[0])
        np.testing.assert_array_equal(task_env.data.qpos, bare.data.qpos)
        np.testing.assert_array_equal(task_env.data.qvel, bare.data.qvel)
        assert stepped[2:4] == expected[2:4]
        kept = {name: value for name, value in expected[4].items() if not name.startswith("reward_")}
        assert kept.items() <= stepped[4].items()


@pytest.mark.parametrize("env_id", TASK_ENV_IDS)
def test_info_has_only_the_terms_of_the_task(make_env: MakeEnv, env_id: str) -> None:
    """A left-over `reward_contact` of Ant would be taken for a part of the reward."""
    env: Any = make_env(env_id).unwrapped
    _, reset_info = env.reset(seed=0)
    assert "x_position" in reset_info
    next_obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
    terms = {name: value for name, value in info.items() if name.startswith("reward_")}
    assert reward == sum(terms.values())
    no_obs, no_action = np.zeros(env.task.obs_dim), np.zeros(env.action_space.shape)
    assert terms.keys() == env.task.reward_terms(no_obs, no_action, no_obs, info).keys()
    assert set(env.task.needs) <= info.keys()
    assert {type(value) for value in (reward, *terms.values())} == {np.float64}
    assert (terminated, truncated) == (False, False)
    assert next_obs.dtype == np.float64


@pytest.mark.parametrize("task", known_tasks(), ids=str)
def test_the_environment_is_one_of_its_base(make_env: MakeEnv, task: Any) -> None:
    env = make_env(task.env_id).unwrapped
    assert isinstance(env, TaskEnv)
    assert isinstance(env, base_class(task.base_env_id))
    assert type(env) is type(real_env(task))


def test_a_step_after_set_state_starts_there(make_env: MakeEnv) -> None:
    """A height kept from the step before would reward a jump that only `set_state` made."""
    climbing = replace(
        find_task("halfcheetah-jump"),
        reward_terms=lambda obs, action, next_obs, info: {"reward_climb": next_obs[..., 0] - obs[..., 0]},
    )
    env: Any = real_env(climbing)
    env.reset(seed=0)
    env.step(np.zeros(6))
    high = env.init_qpos.copy()
    high[1] = 2.0
    env.set_state(high, env.init_qvel)
    _, reward, *_ = env.step(np.zeros(6))
    assert reward == pytest.approx(env.data.qpos[1] - 2.0, abs=1e-12)
    assert -0.05 < reward < 0.0  # free fall over 0.05 s: 9.81 * 0.05**2 / 2 = 0.012 m
    env.close()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_have_the_settings(make_env: MakeEnv, duplicate: Callable[[Any], Any]) -> None:
    env = make_env("AntAngle-v0", degrees=45, reset_noise_scale=0.0)
    again = duplicate(env)
    assert again.unwrapped.task.settings == {"degrees": 45.0}
    rewards = []
    for each in (env, again):
        obs, _ = each.reset(seed=0)
        np.testing.assert_array_equal(obs, cast(Any, each.unwrapped).init_qpos.tolist()[2:] + [0.0] * 14)
        rewards.append(each.step(np.full(8, 0.3, dtype=np.float32))[1])
    assert rewards[0] == rewards[1]


def test_only_observations_that_the_task_reads_are_made() -> None:
    """With one column more, the position along x would be read as a height."""
    with pytest.raises(SettingsError, match=r"reads the 17 observation dimensions .* got \(18,\) with"):
        real_env(find_task("halfcheetah-jump"), exclude_current_positions_from_observation=False)
    with pytest.raises(SettingsError, match=r"reads the 27 observation dimensions .* got \(105,\) with"):
        real_env(find_task("ant-angle"), include_cfrc_ext_in_observation=True)


def test_the_base_must_be_of_mujoco() -> None:
    with pytest.raises(SettingsError, match=r"must be a MuJoCo environment of Gymnasium.*got Pendulum-v1 of"):
        real_env(replace(find_task("halfcheetah-jump"), base_env_id="Pendulum-v1"))
