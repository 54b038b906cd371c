from typing import Any

import numpy as np

from offline_envs.simulator import LAYOUTS
from offline_envs.simulator.mujoco import Restored
from offline_envs.tasks import known_tasks
from tests.tasks.conftest import MakeEnv, make_env

__all__ = ["make_env"]


def test_the_groups_are_positions_and_velocities_by_the_environments_own_account(make_env: MakeEnv) -> None:
    robots = {env_id for env_id, layout in LAYOUTS.items() if isinstance(layout.restore, Restored)}
    for env_id in robots - {"InvertedDoublePendulum-v5"}:  # which gives no account, like version 4 of all
        if env_id.endswith("-v4"):
            continue
        env: Any = make_env(env_id).unwrapped
        structure, groups = env.observation_structure, LAYOUTS[env_id].groups
        n = structure["qpos"]
        assert groups["positions"] == slice(0, n)
        assert groups["velocities"] == slice(n, n + structure["qvel"])


def test_a_clipped_velocity_does_not_determine_the_state() -> None:
    obs = np.zeros((3, 11))
    obs[1, 5], obs[2, 4] = -10.0, 10.0  # a velocity at its bound, and a position that happens to be 10
    assert LAYOUTS["Hopper-v5"].is_exact(obs).tolist() == [True, False, True]
    cheetah = np.full((2, 17), 10.0)
    assert LAYOUTS["HalfCheetah-v5"].is_exact(cheetah).all()


def test_a_task_has_the_layout_of_its_base() -> None:
    for task in known_tasks():
        assert LAYOUTS[task.env_id] is LAYOUTS[task.base_env_id]
        assert LAYOUTS[task.env_id].obs_dim == task.obs_dim


def test_both_versions_of_a_robot_have_one_layout() -> None:
    robots = [env_id.removesuffix("-v4") for env_id in LAYOUTS if env_id.endswith("-v4")]
    assert len(robots) == 9
    for robot in robots:
        old, new = LAYOUTS[f"{robot}-v4"], LAYOUTS[f"{robot}-v5"]
        assert (old.restore, old.groups, old.clipped) == (new.restore, new.groups, new.clipped)


def test_the_difference_is_that_of_the_dimensions_that_tell_the_state() -> None:
    layout = LAYOUTS["InvertedDoublePendulum-v5"]
    obs = np.array([0, 0, 0, 1, 1, 0, 0, 8, 0.0])
    other = obs.copy()
    other[8] = 5.0  # the constraint force of the cart
    assert layout.difference(other, obs) == 0.0
    other[0], other[7] = 0.25, 4.0
    assert layout.difference(other, obs) == 0.5  # relative to a velocity of 8
    other[1] = np.nan
    assert np.isnan(layout.difference(other, obs))
