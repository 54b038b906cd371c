"""Where velocities come from, on data whose velocities are known."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.data import Transitions, load_transitions
from offline_envs.tasks import Task, find_task
from offline_envs.tasks.velocities import LOGGED, OBSERVED, OBSERVED_RMSE, REWARD, find_velocity
from tests.tasks.simulated import simulated, without

JUMP, ANGLE = find_task("halfcheetah-jump"), find_task("ant-angle")


def cheetah(velocity: Any, reward: Any = None, **kwargs: Any) -> Transitions:
    """A cheetah that keeps a velocity through each step, with actions of 0.5: |a|² is 1.5."""
    velocity = np.asarray(velocity, dtype=np.float64)
    obs = np.zeros((len(velocity), 17))
    obs[:, 0] = np.arange(len(velocity))  # no step is a copy of another
    obs[:, 8] = velocity
    arrays = {
        "obs": obs,
        "next_obs": obs,
        "actions": np.full((len(velocity), 6), 0.5),
        "rewards": velocity - 0.15 if reward is None else reward,
        "terminated": np.zeros(len(velocity)),
        "truncated": np.zeros(len(velocity)),
    }
    spec = gym.spec("HalfCheetah-v5")
    return replace(load_transitions(arrays), env_spec=replace_kwargs(spec, kwargs))


def replace_kwargs(spec: Any, kwargs: dict[str, Any]) -> Any:
    return gym.envs.registration.EnvSpec(spec.id, entry_point=spec.entry_point, kwargs=kwargs)


def test_a_logged_velocity_comes_first() -> None:
    data = replace(cheetah([1.0, 2.0]), infos={"x_velocity": torch.tensor([1.25, 2.25])})
    velocity, source = find_velocity(data, JUMP, "x_velocity")
    assert velocity.tolist() == [1.25, 2.25]
    assert (source.origin, source.exact, source.distance) == (LOGGED, True, 0.25)


def test_a_log_with_holes_is_passed_over() -> None:
    """D4RL logs before the step, so that the value of an episode's last step is unknown."""
    data = replace(cheetah([1.0, 2.0]), infos={"x_velocity": torch.tensor([1.25, float("nan")])})
    velocity, source = find_velocity(data, JUMP, "x_velocity")
    assert velocity == pytest.approx([1.0, 2.0])
    assert source.origin == REWARD
    assert source.remarks == ("the logged x_velocity is not finite in 1 rows",)


def test_the_default_reward_tells_the_velocity() -> None:
    """-0.4 + 0.1 · 1.5 = -0.25, and so on."""
    velocity, source = find_velocity(cheetah([-0.2, 1.3], reward=[-0.4, 1.1]), JUMP, "x_velocity")
    assert velocity == pytest.approx([-0.25, 1.25], abs=1e-6)
    assert (source.origin, source.exact) == (REWARD, True)


def test_weights_of_the_reward_are_taken_from_the_environment() -> None:
    """(1.25 + 0.5 · 1.5) / 2 = 1 and (3.25 + 0.75) / 2 = 2."""
    weights = {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.5}
    velocity, source = find_velocity(cheetah([1.0, 2.0], [1.25, 3.25], **weights), JUMP, "x_velocity")
    assert velocity == pytest.approx([1.0, 2.0])
    assert source.origin == REWARD


@pytest.mark.parametrize("limit", [np.minimum, np.maximum])
def test_a_capped_log_is_not_trusted(limit: Any) -> None:
    """The cap hides how fast the cheetah was, here in the upper or the lower part of the rows."""
    true = np.linspace(2.5, 3.5, 41)
    data = cheetah(true, reward=limit(true, 3.3 if limit is np.minimum else 2.7) - 0.15)
    velocity, source = find_velocity(data, JUMP, "x_velocity")
    assert velocity == pytest.approx(true)
    assert source.origin == OBSERVED
    assert "the logged reward is capped: 9 rows" in str(source)


def test_copies_of_an_episode_are_no_cap() -> None:
    data = cheetah(np.tile(np.linspace(1.0, 2.0, 10), 5))
    data = replace(data, obs=data.next_obs.index_fill(1, torch.tensor([0]), 0.0))
    assert find_velocity(data, JUMP, "x_velocity")[1].origin == REWARD


@pytest.mark.parametrize("reward", [np.linspace(2, 3, 9), np.linspace(-2, -1, 9), 5 * np.linspace(1, 2, 9)])
def test_a_reward_that_does_not_fit_the_observations_is_not_trusted(reward: Any) -> None:
    """A bonus, a sign or a weight that the environment's name does not tell."""
    source = find_velocity(cheetah(np.linspace(1, 2, 9), reward), JUMP, "x_velocity")[1]
    assert source.origin == OBSERVED
    assert "does not fit the observed velocities" in str(source)


def test_rewards_of_unknown_environments_are_not_trusted() -> None:
    source = find_velocity(replace(cheetah([1.0, 2.0]), env_spec=None), JUMP, "x_velocity")[1]
    assert source.origin == OBSERVED
    assert "the reward of an unknown environment does not tell it" in str(source)


def test_the_last_resort_is_the_mean_of_two_observations() -> None:
    data = replace(cheetah([1.0, 2.0]), env_spec=None)
    next_obs = data.next_obs.clone()
    next_obs[:, 8] = torch.tensor([2.0, 2.5])
    velocity, source = find_velocity(replace(data, next_obs=next_obs), JUMP, "x_velocity")
    assert velocity.tolist() == [1.5, 2.25]
    assert not source.exact
    assert "0.18 to 0.34 m/s" in str(source)


def test_the_reward_of_the_simulator_tells_its_velocity() -> None:
    """Independent of infos: the truth are positions of the joint before and after each step."""
    found = simulated("HalfCheetah-v5")
    velocity, source = find_velocity(without(found.transitions, "x_velocity"), JUMP, "x_velocity")
    assert source.origin == REWARD
    np.testing.assert_allclose(velocity, found.velocity[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("task", "names"), [(JUMP, ["x"]), (ANGLE, ["x", "y"])])
def test_the_stated_error_is_the_simulators(task: Task, names: list[str]) -> None:
    """Within a third of the range stated, on 1000 steps."""
    found = simulated(task.base_env_id, 1000, **task.base_kwargs)
    data = replace(without(found.transitions, "x_velocity", "y_velocity"), env_spec=None)
    low, high = OBSERVED_RMSE[task.base_env_id]
    for i, name in enumerate(names):
        velocity, source = find_velocity(data, task, f"{name}_velocity")
        rmse = np.sqrt(((velocity - found.velocity[:, i]) ** 2).mean())
        assert source.origin == OBSERVED
        assert low / 1.33 < rmse < high * 1.33
