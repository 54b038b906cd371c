from typing import Any, cast

import numpy as np
import pytest
import torch

from offline_envs.tasks.ant_angle import ant_angle

BEFORE = np.full(27, 7.0)
AFTER = np.full(27, 0.5)
ACTION = np.full(8, 0.5)  # squared and summed: 2
INFO = {"x_velocity": np.float64(2.0), "y_velocity": np.float64(1.0)}

Three = tuple[Any, Any, Any]
"""Observations, actions and next observations."""


def reward(**settings: Any) -> Any:
    return ant_angle(**settings).reward(BEFORE, ACTION, AFTER, INFO)


@pytest.mark.parametrize(
    ("degrees", "paid"),
    [
        (0, 2.0),
        (30, 2.2320508075688772),  # 2 * sqrt(3) / 2 + 1 / 2
        (45, 2.1213203435596424),  # (2 + 1) / sqrt(2)
        (90, 1.0),
        (180, -2.0),
        (-90, -1.0),
    ],
)
def test_velocity_along_the_direction_is_rewarded(degrees: float, paid: float) -> None:
    assert reward(degrees=degrees) == pytest.approx(paid - 0.5 * 2.0, abs=1e-14)
    assert reward(degrees=degrees, control_cost=0) == pytest.approx(paid, abs=1e-14)


def test_the_paper_walks_at_thirty_degrees_without_a_reward_for_surviving() -> None:
    assert reward() == pytest.approx(1.2320508075688772, abs=1e-14)


def with_height(height: float) -> np.ndarray[Any, Any]:
    after = AFTER.copy()
    after[0] = height
    return after


HEIGHTS = [0.5, 0.2, 1.0, 0.19, 1.01, np.nan, np.inf]
HEALTHY = [True, True, True, False, False, False, False]


def test_surviving_is_rewarded_within_the_closed_interval_of_healthy_heights() -> None:
    states = np.stack([with_height(height) for height in HEIGHTS])
    for array in (states, torch.tensor(states)):
        terms = ant_angle(survive_bonus=2.0).reward_terms(array, array[:, :8], array, INFO)
        assert terms["reward_survive"].tolist() == [2.0 * healthy for healthy in HEALTHY]


def test_a_state_that_is_not_finite_has_not_survived() -> None:
    broken = AFTER.copy()
    broken[20] = np.nan
    assert ant_angle(survive_bonus=1.0).reward_terms(BEFORE, ACTION, broken, INFO)["reward_survive"] == 0.0


def test_tensors_get_the_same_rewards() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.uniform(0, 1.2, (2, 50, 27))
    action, velocities = rng.uniform(-1, 1, (50, 8)), rng.normal(size=(2, 50))
    task = ant_angle(degrees=70, survive_bonus=1)
    paid = task.reward(before, action, after, dict(zip(task.needs, velocities, strict=True)))
    tensors = cast(Three, tuple([torch.tensor(array) for array in (before, action, after)]))
    info = dict(zip(task.needs, torch.tensor(velocities), strict=True))
    assert paid.shape == (50,)
    np.testing.assert_allclose(task.reward(*tensors, info), paid, rtol=1e-12)


def test_the_formula_describes_the_reward() -> None:
    direction = "vx cos(30 deg) + vy sin(30 deg)"
    assert ant_angle().formula == f"{direction} - 0.5 |a|^2"
    assert ant_angle(survive_bonus=1).formula == f"{direction} - 0.5 |a|^2 + 1 if healthy"
