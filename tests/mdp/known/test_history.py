"""Environments whose observations have a history: the past moves exactly, the rest sees the newest part."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import with_history
from offline_envs.dynamics import FunctionModel
from offline_envs.errors import SettingsError
from tests.hidden import mass_on_a_spring
from tests.toy import right_of_six, toy_ensemble, toy_options, toy_transitions

pytestmark = pytest.mark.filterwarnings("ignore:.*history is repeated")


def delayed(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Obs (x, y)' = (x + action before last, y); the reward is the oldest x.

    Of a history of three, the action is followed by (a, x, y) of one and of two steps ago.
    """
    return torch.stack([obs[:, 0] + action[:, 4], obs[:, 1]], dim=1), action[:, 5]


def options(**changes: Any) -> dict[str, Any]:
    return toy_options(model=FunctionModel(delayed, 2, 7), history=3, **changes)


def by_loop(actions: list[float]) -> list[tuple[list[float], float]]:
    """Observation and reward of every step from (0, 1)."""
    seen, done, course = [(0.0, 1.0)] * 3, [0.0, 0.0], []
    for action in actions:
        reward = seen[2][0]
        seen = [(seen[0][0] + done[1], 1.0), *seen[:2]]
        done = [action, done[0]]
        course.append(([*seen[0], done[0], *seen[1], done[1], *seen[2]], reward))
    return course


START = np.array([0, 1, 0, 0, 1, 0, 0, 1], np.float32)
ACTIONS = [0.3, -0.7, 0.1, 0.9, -0.4]
"""No exact numbers in float32: what is copied has to be equal bit for bit."""


def test_a_course_is_that_of_a_loop() -> None:
    env = gym.make("LearnedModel-v0", **options())
    obs, _ = env.reset(seed=0, options={"obs": START})
    assert obs.tolist() == START.tolist()
    for action, (expected, reward) in zip(ACTIONS, by_loop(ACTIONS), strict=True):
        obs, found, *_ = env.step(np.array([action], np.float32))
        assert obs[2] == np.float32(action)
        assert obs.tolist() == pytest.approx(expected, abs=1e-6)
        assert found == pytest.approx(reward, abs=1e-6)


@pytest.mark.parametrize("method", ["LearnedModel-v0", "PenalizedModel-v0", "PessimisticModel-v0"])
def test_the_past_is_copied_bit_for_bit_in_many_rows(method: str) -> None:
    """Members that disagree and are unsure, and random actions."""

    def two(obs: Tensor, action: Tensor) -> tuple[Any, Any]:
        next_obs = torch.stack([obs + 0.1, obs + 0.3 * action[:, 4:5]])
        return torch.distributions.Normal(next_obs, 0.5), action[:, 5]

    given = options() | {"model": FunctionModel(two, 2, 7)}
    envs = gym.make_vec(method, num_envs=6, output="torch", autoreset_mode="Disabled", **given)
    before, _ = envs.reset(seed=0)
    for seed in range(3):
        action = torch.rand(6, 1, generator=torch.Generator().manual_seed(seed))
        after, *_ = envs.step(action)
        assert after[:, 2:].equal(torch.cat([action, before[:, :5]], dim=1))
        before = after


def test_rule_and_reward_see_the_newest_part() -> None:
    """Both would fail on eight columns."""

    def product(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        assert obs.shape[1] == next_obs.shape[1] == 2
        return next_obs.prod(dim=1) + 100 * action[:, 0]

    def rule(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        assert obs.shape[1] == next_obs.shape[1] == 2
        return right_of_six(obs, action, next_obs)

    given = options() | {"termination": rule, "reward": product}
    env = gym.make("LearnedModel-v0", **given)
    env.reset(seed=0, options={"obs": np.array([6, 2, 0, 6, 2, 0.5, 6, 2], np.float32)})
    obs, reward, terminated, *_ = env.step(np.array([1.0], np.float32))
    assert obs.tolist() == [6.5, 2, 1, 6, 2, 0, 6, 2]
    assert (reward, terminated) == (113, True)


def test_known_columns_keep_their_numbers() -> None:
    """The clock of the toy's data, and its episode's number, which stays or is replayed."""

    def clock(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        return obs[:, 0] + 1

    for choice in ("kept", "replayed"):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Known columns")
            envs = gym.make_vec("LearnedModel-v0", num_envs=1, **options(known={0: clock, 1: choice}))
        envs.reset(seed=0, options={"row": np.array([4])} if choice == "replayed" else {"obs": START[None]})
        obs, *_ = envs.step(np.array([[0.5]], np.float32))
        expected = [2, 1, 0.5, 1, 1, -1, 0, 1] if choice == "replayed" else [1, 1, 0.5, 0, 1, 0, 0, 1]
        assert obs.tolist() == [expected]
    with pytest.raises(SettingsError, match="from 0 to 1, got 2"):
        gym.make("LearnedModel-v0", **options(known={2: "kept"}))


def test_the_past_counts_in_no_penalty() -> None:
    """The penalty of the newest part alone: its deviations are (3, 4), and the reward's is 0."""

    def unsure(obs: Tensor, action: Tensor) -> tuple[Any, Any]:
        return torch.distributions.Normal(obs, torch.tensor([3.0, 4.0])), action[:, 5]

    env = gym.make("PenalizedModel-v0", **options() | {"model": FunctionModel(unsure, 2, 7)})
    env.reset(seed=0)
    assert env.step(np.zeros(1, np.float32))[4]["penalty"] == 5


def test_an_action_beyond_the_data_explodes_nothing() -> None:
    env = gym.make("LearnedModel-v0", **options())
    env.reset(seed=0, options={"obs": START})
    obs, _, terminated, _, info = env.step(np.array([5000.0], np.float32))
    assert (obs[2], terminated, info["exploded"]) == (5000, False, False)


def test_a_history_of_one_changes_nothing() -> None:
    courses = []
    for given in (toy_options(), toy_options(history=1)):
        envs = gym.make_vec("PenalizedModel-v0", num_envs=5, **given)
        envs.reset(seed=0)
        courses.append([[x.tolist() for x in envs.step(np.zeros((5, 1)))[:4]] for _ in range(7)])
    assert courses[0] == courses[1]


def test_data_may_have_the_history_already() -> None:
    data = with_history(toy_transitions(), 3)
    envs = gym.make_vec("LearnedModel-v0", num_envs=2, **options() | {"dataset": data, "history": 1})
    assert envs.reset(seed=0)[0].shape == (2, 8)


def test_models_without_the_history_are_refused() -> None:
    with pytest.raises(SettingsError, match="needs the history= of its fit"):
        gym.make("LearnedModel-v0", **options() | {"model": toy_ensemble()})
    with pytest.raises(SettingsError, match="got history=3: some are known then"):
        gym.make("AdversarialModel-v0", **options())


def test_a_model_of_whole_histories_is_taken_as_it_is() -> None:
    """A function of all eight columns, whose own prediction of the past is not used."""

    def whole(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return obs + 1, obs[:, 7]

    env = gym.make("LearnedModel-v0", **options() | {"model": whole})
    env.reset(seed=0, options={"obs": START})
    obs, reward, *_ = env.step(np.array([0.5], np.float32))
    assert obs.tolist() == [1, 2, 0.5, 0, 1, 0, 0, 1]
    assert reward == 1


def test_noise_is_calibrated_by_what_is_learned() -> None:
    """Over all columns, of which half are known without a deviation, the likelihood would be infinite."""
    data, fit = mass_on_a_spring(hidden=True, n_episodes=10), {"max_epochs": 1, "holdout": 100}
    shape = {"n_members": 2, "n_elites": 2, "hidden": [8]}
    given: dict[str, Any] = {"termination": "never", "history": 2, "ensemble": shape, "fit": fit}
    env: Any = gym.make("LearnedModel-v0", dataset=data, spread="calibrated", progress=False, **given)
    assert 0.1 < env.unwrapped.mdp.sampler.factor < 10
