"""Sources of infos, on data whose velocities are known."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.data import Transitions, load_transitions
from offline_envs.errors import DatasetError
from offline_envs.tasks import Task, find_task
from offline_envs.tasks.base_env import BASE_ENVS
from offline_envs.tasks.relabelling.needed_infos import LOGGED, OBSERVED, REWARD, find_info
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
        "truncated": np.ones(len(velocity)),
    }
    spec = gym.spec("HalfCheetah-v5")
    return replace(load_transitions(arrays), env_spec=replace_kwargs(spec, kwargs))


def replace_kwargs(spec: Any, kwargs: dict[str, Any]) -> Any:
    return gym.envs.registration.EnvSpec(spec.id, entry_point=spec.entry_point, kwargs=kwargs)


def test_a_logged_velocity_comes_first() -> None:
    data = replace(cheetah([1.0, 2.0]), infos={"x_velocity": torch.tensor([0.75, 2.25])})
    velocity, source = find_info(data, JUMP, "x_velocity")
    assert velocity.tolist() == [0.75, 2.25]
    assert (source.origin, source.exact, source.distance) == (LOGGED, True, 0.25)


def test_a_log_with_holes_is_passed_over() -> None:
    """D4RL logs before the step, so that the value of an episode's last step is unknown."""
    data = replace(cheetah([1.0, 2.0]), infos={"x_velocity": torch.tensor([1.25, float("nan")])})
    velocity, source = find_info(data, JUMP, "x_velocity")
    assert velocity == pytest.approx([1.0, 2.0])
    assert source.origin == REWARD
    assert source.remarks == ("the logged x_velocity is not finite in 1 rows",)


@pytest.mark.parametrize("alter", [torch.zeros_like, torch.neg, lambda logged: logged.roll(1)])
def test_a_log_that_does_not_fit_the_observations_is_passed_over(alter: Any) -> None:
    """Zeros of a logger that was never filled, another sign, or infos that belong to another step."""
    found = simulated("HalfCheetah-v5")
    infos = {"x_velocity": alter(found.transitions.infos["x_velocity"])}
    velocity, source = find_info(replace(found.transitions, infos=infos), JUMP, "x_velocity")
    np.testing.assert_allclose(velocity, found.velocity[:, 0], rtol=0, atol=1e-6)
    assert (source.origin, source.doubted) == (REWARD, True)
    assert "the logged x_velocity does not fit the observed velocities" in str(source)


@pytest.mark.parametrize(("shift", "step"), [(-0.05, "before"), (0.05, "after")])
def test_a_log_of_another_step_is_passed_over(shift: float, step: str) -> None:
    """Velocities that change by 0.05 m/s a step: a log one row off is near enough to pass otherwise."""
    data = cheetah(np.linspace(1.0, 3.0, 41))
    logged = torch.linspace(1.0, 3.0, 41) + shift
    source = find_info(replace(data, infos={"x_velocity": logged}), JUMP, "x_velocity")[1]
    assert source.doubted
    assert f"is nearer to the observed velocities of the step {step}" in str(source)


@pytest.mark.parametrize("task", [JUMP, ANGLE], ids=str)
def test_logs_of_the_simulator_are_not_doubted(task: Task) -> None:
    data = simulated(task.base_env_id, **task.base_kwargs).transitions
    for name in task.needs:
        source = find_info(data, task, name)[1]
        assert (source.origin, source.doubted) == (LOGGED, False)


def test_logs_of_a_body_at_rest_are_not_doubted() -> None:
    """It trembles: half of its observed velocities is below their expected error."""
    logged = 0.05 * torch.sin(torch.arange(41.0))
    data = replace(cheetah(np.zeros(41)), infos={"x_velocity": logged})
    assert find_info(data, JUMP, "x_velocity")[1].origin == LOGGED


def test_an_info_that_no_observation_shows_must_be_logged() -> None:
    task = replace(JUMP, needs=("x_velocity", "x_position"))
    data = simulated("HalfCheetah-v5").transitions
    position, source = find_info(data, task, "x_position")
    np.testing.assert_array_equal(position, data.infos["x_position"])
    assert str(source) == "x_position from logged infos: as logged, for no observation shows it"
    message = (
        r"needs x_position of every step, which no observation shows\. HalfCheetah-v5: no x_position is "
        r"logged\. Next time .* gymnasium\.make\('HalfCheetah-v5'\) and log x_velocity, x_position of its"
    )
    with pytest.raises(DatasetError, match=message):
        find_info(without(data, "x_position"), task, "x_position")


def test_the_default_reward_determines_the_velocity() -> None:
    """-0.4 + 0.1 · 1.5 = -0.25, and so on."""
    velocity, source = find_info(cheetah([-0.2, 1.3], reward=[-0.4, 1.1]), JUMP, "x_velocity")
    assert velocity == pytest.approx([-0.25, 1.25], abs=1e-6)
    assert (source.origin, source.exact) == (REWARD, True)


def test_weights_of_the_reward_are_taken_from_the_environment() -> None:
    """(1.25 + 0.5 · 1.5) / 2 = 1 and (3.25 + 0.75) / 2 = 2."""
    weights = {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.5}
    velocity, source = find_info(cheetah([1.0, 2.0], [1.25, 3.25], **weights), JUMP, "x_velocity")
    assert velocity == pytest.approx([1.0, 2.0])
    assert source.origin == REWARD


@pytest.mark.parametrize("limit", [np.minimum, np.maximum])
def test_a_capped_log_is_not_trusted(limit: Any) -> None:
    """The cap hides how fast the cheetah was, here in the upper or the lower part of the rows."""
    true = np.linspace(2.5, 3.5, 41)
    data = cheetah(true, reward=limit(true, 3.3 if limit is np.minimum else 2.7) - 0.15)
    velocity, source = find_info(data, JUMP, "x_velocity")
    assert velocity == pytest.approx(true)
    assert source.origin == OBSERVED
    assert "the logged reward is capped: 9 rows" in str(source)


def test_copies_of_an_episode_are_not_taken_for_a_cap() -> None:
    data = cheetah(np.tile(np.linspace(1.0, 2.0, 10), 5))
    data = replace(data, obs=data.next_obs.index_fill(1, torch.tensor([0]), 0.0))
    assert find_info(data, JUMP, "x_velocity")[1].origin == REWARD


@pytest.mark.parametrize("reward", [np.linspace(2, 3, 9), np.linspace(-2, -1, 9), 5 * np.linspace(1, 2, 9)])
def test_a_reward_that_does_not_fit_the_observations_is_not_trusted(reward: Any) -> None:
    """A bonus, a sign or a weight that the environment's id does not show."""
    source = find_info(cheetah(np.linspace(1, 2, 9), reward), JUMP, "x_velocity")[1]
    assert source.origin == OBSERVED
    assert "does not fit the observed velocities" in str(source)


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        (0.0, "does not fit the observed"),
        (0.05, "has another control cost"),
        (0.15, "has another control cost"),
        (0.2, "does not fit the observed"),
    ],
)
def test_another_control_cost_is_noticed(weight: float, why: str) -> None:
    """The environment's id implies 0.1: the rest of each |a|² would be taken for a velocity."""
    found = simulated("HalfCheetah-v5", 1000)
    effort = (found.transitions.actions.double() ** 2).sum(dim=1)
    rewards = torch.tensor(found.velocity[:, 0]) - weight * effort
    data = replace(found.transitions, rewards=rewards.float(), infos={})
    source = find_info(data, JUMP, "x_velocity")[1]
    assert source.origin == OBSERVED
    assert f"the logged reward {why}" in str(source)


def test_rewards_of_unknown_environments_are_not_trusted() -> None:
    source = find_info(replace(cheetah([1.0, 2.0]), env_spec=None), JUMP, "x_velocity")[1]
    assert source.origin == OBSERVED
    assert "the reward of an unknown environment does not determine it" in str(source)


def test_the_last_resort_is_the_mean_of_two_observations() -> None:
    data = replace(cheetah([1.0, 2.0]), env_spec=None)
    next_obs = data.next_obs.clone()
    next_obs[:, 8] = torch.tensor([2.0, 2.5])
    velocity, source = find_info(replace(data, next_obs=next_obs), JUMP, "x_velocity")
    assert velocity.tolist() == [1.5, 2.25]
    assert not source.exact
    assert "0.18 to 0.34 m/s" in str(source)


def test_the_reward_of_the_simulator_determines_its_velocity() -> None:
    """Independent of infos: the reference is the joint's position before and after each step."""
    found = simulated("HalfCheetah-v5")
    velocity, source = find_info(without(found.transitions, "x_velocity"), JUMP, "x_velocity")
    assert source.origin == REWARD
    np.testing.assert_allclose(velocity, found.velocity[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("task", "names"), [(JUMP, ["x"]), (ANGLE, ["x", "y"])])
def test_the_stated_error_is_the_simulators(task: Task, names: list[str]) -> None:
    """Within a third of the range stated, on 1000 steps."""
    found = simulated(task.base_env_id, 1000, **task.base_kwargs)
    data = replace(without(found.transitions, "x_velocity", "y_velocity"), env_spec=None)
    stated = BASE_ENVS[task.base_env_id].observed_rmse
    assert stated is not None
    low, high = stated
    for i, name in enumerate(names):
        velocity, source = find_info(data, task, f"{name}_velocity")
        rmse = np.sqrt(((velocity - found.velocity[:, i]) ** 2).mean())
        assert source.origin == OBSERVED
        assert low / 1.33 < rmse < high * 1.33
