from typing import Any

import numpy as np

from offline_envs.diagnose.ground_truth.obs_layouts import LAYOUTS
from offline_envs.tasks import known_tasks
from tests.tasks.conftest import MakeEnv, make_env

__all__ = ["make_env"]

KWARGS: dict[str, dict[str, Any]] = {"Ant-v5": {"include_cfrc_ext_in_observation": False}}


def test_the_groups_are_positions_and_velocities_by_the_environments_own_account(make_env: MakeEnv) -> None:
    for env_id in LAYOUTS.keys() - {"InvertedDoublePendulum-v5"}:  # which gives no account
        env: Any = make_env(env_id, **KWARGS.get(env_id, {})).unwrapped
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
