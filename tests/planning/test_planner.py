from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict
from torch import Tensor

from offline_envs.dynamics import FunctionModel
from offline_envs.errors import SettingsError
from offline_envs.planning import Decision, Planner, PlannerSettings
from tests.planning.worlds import SPACE, line, world

HORIZON = 3


class Counting(Planner):
    """Adds 0.1 to every action of the plan, and keeps what it was given."""

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        self.seen = obs, memory
        return Decision(memory[:, 0, 0] + 0.1, memory + 0.1)


def planner(**settings: Any) -> Counting:
    return Counting(world(), SPACE, PlannerSettings(horizon=HORIZON), **settings)


def test_an_observation_or_a_batch_gets_actions_of_its_shape() -> None:
    action, _ = planner().predict(np.zeros(1, np.float32))
    actions, state = planner().predict(np.zeros((4, 1), np.float64))
    assert action.shape == (1,)
    assert actions.shape == (4, 1)
    assert actions.dtype == np.float32
    assert state.shape == (4, 1, HORIZON, 1)


def test_a_plan_goes_on_one_step_later() -> None:
    """A plan (0.1, 0.1, 0.1) becomes (0.1, 0.1, 0): the middle of the bounds is appended."""
    counting = planner()
    _, state = counting.predict(np.zeros((1, 1)))
    action, state = counting.predict(np.zeros((1, 1)), state)
    assert counting.seen[1].flatten().tolist() == pytest.approx([0.1, 0.1, 0.0])
    assert action.item() == pytest.approx(0.2)
    counting.predict(np.zeros((1, 1)), state)
    assert counting.seen[1].flatten().tolist() == pytest.approx([0.2, 0.1, 0.0])


def test_a_new_episode_begins_afresh_in_its_row_only() -> None:
    counting = planner()
    _, state = counting.predict(np.zeros((2, 1)))
    counting.predict(np.zeros((2, 1)), state, np.array([True, False]))
    assert counting.seen[1][:, 0, :, 0].tolist() == [[0.0] * 3, pytest.approx([0.1, 0.1, 0.0])]


def test_without_a_state_every_decision_begins_afresh() -> None:
    counting = planner()
    for _ in range(2):
        assert counting.predict(np.zeros((1, 1)))[0].item() == pytest.approx(0.1)
    assert counting(torch.zeros(2, 1)).tolist() == [[pytest.approx(0.1)]] * 2


def test_actions_stay_within_the_bounds() -> None:
    narrow = Counting(world(), Box(0.0, 0.05, (1,)), PlannerSettings(horizon=2))
    assert narrow.predict(np.zeros(1))[0].item() == pytest.approx(0.05)
    assert narrow.fresh(1).flatten().tolist() == pytest.approx([0.025, 0.025])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.predict(np.zeros((2, 3))), r"shape \(1,\) or \(n, 1\)"),
        (lambda p: p.predict(np.array([np.nan])), "finite observations"),
        (
            lambda p: p.predict(np.zeros((2, 1)), p.fresh(3)),
            r"the same 2 environments, of shape \(2, 1, 3, 1\)",
        ),
        (lambda p: p.predict(np.zeros((2, 1)), "plan"), "got str"),
        (lambda p: p.predict(np.zeros((2, 1)), p.fresh(2), [True]), r"episode_start must have shape \(2,\)"),
    ],
)
def test_what_cannot_be_planned_from_is_refused(call: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        call(planner())


def named() -> Counting:
    """Its columns are place₀, place₁, speed."""
    counting = Counting(world(model=FunctionModel(line, 3, 1)), SPACE, PlannerSettings(horizon=HORIZON))
    counting.obs_space = Dict({"speed": Box(-9.0, 9.0, ()), "place": Box(-9.0, 9.0, (2,))})
    return counting


def test_observations_by_name_become_columns() -> None:
    counting = named()
    action, _ = counting.predict({"speed": np.float64(3.0), "place": np.array([1.0, 2.0])})
    assert (action.shape, counting.seen[0].tolist()) == ((1,), [[1.0, 2.0, 3.0]])
    batch = {"speed": np.array([3.0, 6.0]), "place": np.array([[1.0, 2.0], [4.0, 5.0]]), "time": np.zeros(2)}
    actions, _ = counting.predict(batch)
    assert (actions.shape, counting.seen[0].tolist()) == ((2, 1), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.mark.parametrize("given", [{"place": np.zeros(2)}, {"place": np.zeros(3), "speed": 0.0}, {}])
def test_observations_by_other_names_or_of_other_shapes_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"of the shapes \{'place': \(2,\), 'speed': \(\)\}, or"):
        named().predict(given)


def test_a_planner_of_columns_asks_for_them() -> None:
    with pytest.raises(SettingsError, match=r"by name: place, speed.*with_flat_obs\(env\)"):
        planner().predict({"place": np.zeros(2), "speed": np.zeros(1)})


@pytest.mark.parametrize("space", [Box(-1.0, 1.0, (2,)), Box(-np.inf, 1.0, (1,))])
def test_actions_must_be_bounded_and_the_models(space: Box) -> None:
    with pytest.raises(SettingsError, match="bounded Box of 1 actions"):
        Counting(world(), space)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"horizon": 0}, "horizon must be at least 1"), ({"discount": 0.0}, "discount must be above 0")],
)
def test_settings_out_of_range_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        PlannerSettings(**settings)
