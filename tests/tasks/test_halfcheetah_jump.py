from typing import Any, cast

import numpy as np
import pytest
import torch

from offline_envs.tasks.halfcheetah_jump import halfcheetah_jump

BEFORE = np.full((4, 17), 7.0)  # must not count: the rewarded height is the one reached
AFTER = np.full((4, 17), 9.0)
AFTER[:, 0] = [0.2, 0.2, -0.1, 0.0]  # heights above the nominal one [m]
ACTIONS = np.full((4, 6), 0.5)  # squared and summed: 1.5
VELOCITIES = np.array([2.0, 5.0, -4.0, 3.0])

Three = tuple[Any, Any, Any]
"""Observations, actions and next observations."""


def rewards(**settings: Any) -> Any:
    return halfcheetah_jump(**settings).reward(BEFORE, ACTIONS, AFTER, {"x_velocity": VELOCITIES})


def test_running_is_rewarded_up_to_three_and_height_by_fifteen_a_metre() -> None:
    """2 - 0.15 + 3, 3 - 0.15 + 3, -4 - 0.15 - 1.5, 3 - 0.15."""
    np.testing.assert_allclose(rewards(), [4.85, 5.85, -5.65, 2.85], rtol=1e-14)


def test_the_printed_formula_rewards_the_larger_of_velocity_and_three() -> None:
    """It gives 3 for standing still, so it must not be the default, although the paper prints it."""
    np.testing.assert_allclose(rewards(literal_max=True), [5.85, 7.85, 1.35, 2.85], rtol=1e-14)


def test_without_weight_of_height_it_is_the_task_that_the_data_come_from() -> None:
    np.testing.assert_allclose(rewards(jump_weight=0), [1.85, 2.85, -4.15, 2.85], rtol=1e-14)


def test_the_cap_may_be_moved() -> None:
    np.testing.assert_allclose(rewards(jump_weight=0, max_speed=2.5), [1.85, 2.35, -4.15, 2.35], rtol=1e-14)


def test_the_terms_are_named_and_add_up() -> None:
    terms = halfcheetah_jump().reward_terms(BEFORE, ACTIONS, AFTER, {"x_velocity": VELOCITIES})
    assert {name: value[0] for name, value in terms.items()} == {
        "reward_forward": 2.0,
        "reward_ctrl": pytest.approx(-0.15),
        "reward_jump": pytest.approx(3.0),
    }


def test_tensors_get_the_same_rewards() -> None:
    tensors = cast(Three, tuple([torch.tensor(array) for array in (BEFORE, ACTIONS, AFTER)]))
    for settings in ({}, {"literal_max": True}):
        paid = halfcheetah_jump(**settings).reward(*tensors, {"x_velocity": torch.tensor(VELOCITIES)})
        np.testing.assert_allclose(paid, rewards(**settings), rtol=1e-14)


def test_the_formula_describes_the_reward() -> None:
    assert halfcheetah_jump().formula == "min(vx, 3) - 0.1 |a|^2 + 15 z"
    assert halfcheetah_jump(literal_max=True, max_speed=2, jump_weight=1).formula.startswith("max(vx, 2)")
