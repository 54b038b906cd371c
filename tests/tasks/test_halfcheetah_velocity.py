from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.tasks.halfcheetah_velocity import halfcheetah_velocity

ACTIONS = np.full((3, 6), 0.5)  # squared and summed: 1.5
VELOCITIES = np.array([2.0, 5.0, -4.0])


def rewards(**settings: Any) -> Any:
    obs = np.full((3, 17), np.nan)  # no observation counts
    return halfcheetah_velocity(**settings).reward(obs, ACTIONS, obs, {"x_velocity": VELOCITIES})


def test_the_distance_to_the_target_speed_costs_on_both_sides() -> None:
    np.testing.assert_allclose(rewards(), [-0.15, -3.15, -6.15], rtol=1e-14)


def test_a_negative_speed_asks_to_run_backward() -> None:
    np.testing.assert_allclose(rewards(target_speed=-4), [-6.15, -9.15, -0.15], rtol=1e-14)


def test_tensors_get_the_same_rewards() -> None:
    obs = torch.zeros(3, 17)
    info = {"x_velocity": torch.tensor(VELOCITIES)}
    paid = halfcheetah_velocity().reward(obs, torch.tensor(ACTIONS), obs, info)
    np.testing.assert_allclose(paid, rewards(), rtol=1e-14)


@pytest.mark.parametrize(("speed", "formula"), [(2, "-|vx - 2| "), (-1.5, "-|vx + 1.5| "), (0, "-|vx - 0| ")])
def test_the_formula_describes_the_reward(speed: float, formula: str) -> None:
    assert halfcheetah_velocity(target_speed=speed).formula == formula + "- 0.1 |a|^2"
