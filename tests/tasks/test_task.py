"""Laws that every task obeys."""

import copy
import pickle
from typing import Any, cast

import numpy as np
import pytest
import torch

from offline_envs.data import known_environment
from offline_envs.registration import TASKS
from offline_envs.tasks import Task, find_task

Three = tuple[Any, Any, Any]
"""Observations, actions and next observations."""


def steps(task: Task, shape: tuple[int, ...]) -> tuple[Three, dict[str, Any]]:
    """Random obs, action and next_obs, and the infos that the task needs."""
    rng = np.random.default_rng(0)
    k = known_environment(task.base_env_id).action_dim
    arrays = cast(
        Three, tuple([rng.uniform(-1, 1, (*shape, width)) for width in (task.obs_dim, k, task.obs_dim)])
    )
    return arrays, {name: rng.normal(0, 3, shape) for name in task.needs}


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    return find_task(request.param)


def test_the_reward_is_the_sum_of_its_terms(task: Task) -> None:
    arrays, info = steps(task, (20,))
    terms = task.reward_terms(*arrays, info)
    assert all(name.startswith("reward_") for name in terms)
    np.testing.assert_allclose(task.reward(*arrays, info), np.sum([*terms.values()], axis=0), atol=1e-14)


def test_numpy_and_torch_agree(task: Task) -> None:
    arrays, info = steps(task, (20,))
    expected = task.reward(*arrays, info)
    tensors = cast(Three, tuple([torch.tensor(array) for array in arrays]))
    paid = task.reward(*tensors, {name: torch.tensor(values) for name, values in info.items()})
    assert (paid.shape, paid.dtype) == ((20,), torch.float64)
    np.testing.assert_allclose(paid, expected, rtol=1e-12, atol=1e-14)


def test_a_batch_is_rewarded_row_by_row(task: Task) -> None:
    arrays, info = steps(task, (3, 5))
    paid = task.reward(*arrays, info)
    assert paid.shape == (3, 5)
    for row in np.ndindex(3, 5):
        one = task.reward(
            arrays[0][row], arrays[1][row], arrays[2][row], {name: info[name][row] for name in info}
        )
        assert one == pytest.approx(paid[row], abs=1e-14)


def test_float32_tensors_stay_float32(task: Task) -> None:
    arrays, info = steps(task, (20,))
    tensors = cast(Three, tuple([torch.tensor(array).float() for array in arrays]))
    floats = {name: torch.tensor(values).float() for name, values in info.items()}
    assert task.reward(*tensors, floats).dtype == torch.float32


def test_the_columns_of_velocities_are_columns(task: Task) -> None:
    assert task.velocity_columns.keys() <= set(task.needs)
    assert all(0 <= column < task.obs_dim for column in task.velocity_columns.values())


def test_a_task_survives_copies_and_pickles(task: Task) -> None:
    """Vector environments in other processes get theirs that way."""
    arrays, info = steps(task, (20,))
    for again in (copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert str(again) == str(task)
        assert again.references == task.references
        assert np.array_equal(again.reward(*arrays, info), task.reward(*arrays, info))


def test_the_text_has_the_settings_that_differ() -> None:
    task = Task(
        name="mine",
        env_id="Mine-v0",
        base_env_id="Ant-v5",
        reward_terms=lambda obs, action, next_obs, info: {
            "reward_b": obs[..., 0],
            "reward_a": action[..., 1],
        },
        formula="b + a",
        source="these tests",
        obs_dim=27,
        settings={"b": True, "a": 0.1},
    )
    assert str(task) == "mine:a=0.1,b=True"
    assert task.needs == ()
    assert task.reward(np.array([2.0]), np.array([0.0, 0.5]), np.zeros(1), {}) == 2.5
