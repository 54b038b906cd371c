from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Dict
from torch import Tensor

from offline_envs.dynamics import FunctionModel
from offline_envs.errors import SettingsError
from offline_envs.planning import CEM, Decision, Planner, PlannerSettings, plan_in
from offline_envs.wrappers import PlannedActions
from tests.nested import CART_SPACE
from tests.planning.worlds import line, world
from tests.toy import toy_options

SPACE = Box(-1.0, 3.0, (1,))
SMALL = "cem:horizon=2,candidates=8,elites=2,particles=2"


class Echo(gym.Env[Any, Any]):
    """Keeps the action of a step."""

    observation_space = Box(-np.inf, np.inf, (1,))
    action_space = SPACE

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.taken = action
        return np.ones(1, np.float32), 0.0, False, False, {"own": True}


class Steps(Planner):
    """Acts by the number of its steps: 1 at first, when every action is the middle, then 1.5, 2, ..."""

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        self.obs = obs
        return Decision(memory[:, 0, 0], memory + 0.5)

    def appended(self, last: Tensor) -> Tensor:
        return last


def planned(**settings: Any) -> tuple[PlannedActions, Echo]:
    env = Echo()
    return PlannedActions(env, Steps(world(), SPACE, PlannerSettings(horizon=2)), **settings), env


def test_an_action_of_zeros_leaves_the_planner_alone() -> None:
    wrapped, env = planned()
    wrapped.reset()
    for expected in (1.0, 1.5, 2.0):
        *_, info = wrapped.step(np.zeros(1))
        assert env.taken.tolist() == [expected]
        assert info["planned_action"].tolist() == [expected]
        assert info["own"]
    assert wrapped.planner.obs.tolist() == [[1.0]]  # type: ignore[attr-defined]
    wrapped.reset()
    wrapped.step(np.zeros(1))
    assert env.taken.tolist() == [1.0]


def test_an_action_is_added_within_the_bounds() -> None:
    wrapped, env = planned(residual=2.0)
    assert wrapped.action_space == Box(-4.0, 4.0, (1,))
    wrapped.reset()
    wrapped.step(np.array([-0.5]))
    assert env.taken.tolist() == [0.5]
    wrapped.step(np.array([4.0]))
    assert env.taken.tolist() == [3.0]


def test_a_text_plans_in_the_environments_own_model() -> None:
    env = gym.make("LearnedModel-v0", **toy_options())
    wrapped = PlannedActions(env, SMALL, residual=0.5)
    assert isinstance(wrapped.planner, CEM)
    wrapped.reset(seed=0)
    _, _, _, _, info = wrapped.step(np.zeros(1))
    assert -1 <= info["planned_action"][0] <= 1
    assert wrapped.action_space == Box(-0.5, 0.5, (1,))


def course(env: Any, seed: int | None = None) -> list[float]:
    """What the planner does in the first steps of an episode."""
    env.reset(seed=seed)
    return [float(env.step(np.zeros(1))[4]["planned_action"][0]) for _ in range(3)]


def test_a_seed_restarts_the_planners_random_numbers() -> None:
    """Otherwise no run can be repeated in the same environment."""
    env = PlannedActions(gym.make("LearnedModel-v0", **toy_options()), SMALL)
    first = course(env, seed=3)
    assert course(env) != first
    assert course(env, seed=3) == first


def test_wrapped_environment_is_rebuilt_from_its_spec(toy_dataset: str, toy_model: str) -> None:
    env = gym.make("LearnedModel-v0", dataset=toy_dataset, model=toy_model, termination="never")
    wrapped = PlannedActions(env, SMALL, residual=0.5, seed=7)
    assert wrapped.spec is not None
    again: Any = gym.make(gym.envs.registration.EnvSpec.from_json(wrapped.spec.to_json()))
    assert again.action_space == Box(-0.5, 0.5, (1,))
    assert again.planner.generator.initial_seed() == 7
    assert course(again, seed=3) == course(wrapped, seed=3)


def test_a_planner_that_was_made_is_in_the_spec_itself() -> None:
    planner = plan_in(gym.make("LearnedModel-v0", **toy_options()), SMALL)
    wrapped = PlannedActions(gym.make("LearnedModel-v0", **toy_options()), planner)
    assert wrapped.spec is not None
    again: Any = gym.make(wrapped.spec)
    assert again.planner is planner


def test_dict_observations_are_planned_from() -> None:
    planner = Steps(world(model=FunctionModel(line, 3, 1)), SPACE, PlannerSettings(horizon=2))
    planner.obs_space = Dict(dict(CART_SPACE.spaces))
    wrapped = PlannedActions(gym.make("Cart-v0"), planner)
    obs, _ = wrapped.reset(seed=0)
    wrapped.step(np.zeros(1))
    x = np.float32(obs["place"][0])
    assert planner.obs.tolist() == [[x, pytest.approx(10 + x), 0.0]]  # place, then speed


def test_what_cannot_be_corrected_is_refused() -> None:
    with pytest.raises(SettingsError, match="residual must be above 0, got 0"):
        planned(residual=0.0)
    with pytest.raises(SettingsError, match=r"got Dict.*with_flat_obs\(env\)"):
        PlannedActions(gym.make("Cart-v0"), planned()[0].planner)
    with pytest.raises(SettingsError, match="no learned model"):
        PlannedActions(Echo(), "cem")


def test_a_step_before_a_reset_is_refused() -> None:
    wrapped, _ = planned()
    with pytest.raises(ResetNeeded, match=r"Call reset\(\) of the wrapper"):
        wrapped.step(np.zeros(1))
