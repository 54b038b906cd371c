"""A known reward, and columns that are known by formula: a clock, a set-point."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.errors import SettingsError
from offline_envs.wrappers import HaltOnUnknown, UncertaintyPenalty
from tests.toy import right_of_six, spreading_ensemble, toy_ensemble, toy_options, toy_transitions

ACTION = np.zeros(1, np.float32)
STILL = ((1.0, 0.0, 0.0),) * 3
"""Members that predict reward 1 and no movement."""


def still(**changes: Any) -> dict[str, Any]:
    return toy_options(model=toy_ensemble(STILL, ((1e-6,) * 3,) * 3), **changes)


def clock(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del action, next_obs  # Unused.
    return obs[:, 0] + 1


def distance(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """10·t' + 100·a, from the next observation and the action."""
    del obs  # Unused.
    return 10 * next_obs[:, 0] + 100 * action[:, 0]


def played(env: gym.Env[Any, Any], obs: Sequence[float], n_steps: int = 3) -> list[list[float]]:
    env.reset(seed=0, options={"obs": np.array(obs, np.float32)})
    return [env.step(ACTION)[0].round(4).tolist() for _ in range(n_steps)]


def test_a_clock_and_a_set_point() -> None:
    """In the toy's data the first observation counts steps, and the second stays."""
    env = gym.make("LearnedModel-v0", **still(known={0: clock}))
    assert played(env, (2.0, 7.0)) == [[3.0, 7.0], [4.0, 7.0], [5.0, 7.0]]
    moving = toy_ensemble(((1.0, 0.5, 0.5),) * 3, ((1e-6,) * 3,) * 3)
    env = gym.make("LearnedModel-v0", **toy_options(model=moving, known={0: clock, 1: "kept"}))
    assert played(env, (0.0, 0.5)) == [[1.0, 0.5], [2.0, 0.5], [3.0, 0.5]]


@pytest.mark.parametrize("known", [None, {}])
def test_without_known_outputs_nothing_changes(known: Any) -> None:
    courses = []
    for options in (toy_options(), toy_options(known=known)):
        envs = gym.make_vec("PenalizedModel-v0", num_envs=5, **options)
        envs.reset(seed=0)
        courses.append([[x.tolist() for x in envs.step(np.zeros((5, 1)))[:4]] for _ in range(7)])
    assert courses[0] == courses[1]


def test_the_other_outputs_keep_their_numbers() -> None:
    """The noise of a known column is drawn and left out."""
    courses = []
    for known in (None, {1: "kept"}):
        envs = gym.make_vec("LearnedModel-v0", num_envs=4, output="torch", **toy_options(known=known))
        envs.reset(seed=0)
        obs, reward, *_ = envs.step(torch.zeros(4, 1))
        courses.append((obs[:, 0].tolist(), reward.tolist()))
    assert courses[0] == courses[1]


class Both:
    """Two columns that are computed together, from arrays."""

    columns = (1, 0)

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Any:
        assert len(obs) == len(action) == len(next_obs)
        return np.stack([obs[:, 1].numpy(), obs[:, 0].numpy() + 1], axis=1)


def test_columns_may_be_computed_together() -> None:
    env = gym.make("LearnedModel-v0", **still(known=Both()))
    assert played(env, (2.0, 7.0)) == [[3.0, 7.0], [4.0, 7.0], [5.0, 7.0]]


def test_later_columns_see_earlier_ones() -> None:
    def after(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        return 2 * next_obs[:, 0]

    with pytest.warns(UserWarning, match="Known columns 1 differ .* in 8 of 9 rows"):
        env = gym.make("LearnedModel-v0", **still(known={0: clock, 1: after}))
    assert played(env, (2.0, 7.0), 2) == [[3.0, 6.0], [4.0, 8.0]]


def test_the_termination_rule_sees_known_columns() -> None:
    env = gym.make("LearnedModel-v0", **still(known={0: clock}, termination=right_of_six))
    env.reset(seed=0, options={"obs": np.array([6.0, 0.0], np.float32)})
    assert env.step(ACTION)[2]


def test_a_known_reward() -> None:
    env = gym.make("LearnedModel-v0", **still(known={0: clock}, reward=distance))
    env.reset(seed=0, options={"obs": np.array([2.0, 7.0], np.float32)})
    _, reward, _, _, info = env.step(np.array([0.5], np.float32))
    assert (reward, info["raw_reward"]) == (80.0, 80.0)


def test_the_reward_sets_what_explosions_and_halts_cost() -> None:
    """Over the data 10·t' + 100·a is lowest at t = 0, a = −1: −90. The recorded rewards go to −4."""
    far = toy_options(model=toy_ensemble(((1.0, 1e9, 0.0),) * 3), reward=distance)
    env: Any = gym.make("LearnedModel-v0", **far)
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(ACTION)
    assert (reward, terminated, info["exploded"]) == (-90.0, True, True)
    assert env.unwrapped.transitions.rewards.min() == -90.0
    halting: dict[str, Any] = {"threshold": {"max_over": 0.8}, "units": "raw"}
    options = toy_options(model=spreading_ensemble(), reward=distance)
    for halted in (
        gym.make("PessimisticModel-v0", **options, **halting),
        HaltOnUnknown(gym.make("LearnedModel-v0", **options), **halting),
    ):
        halted.reset(seed=0, options={"obs": np.array([3.0, 0.0], np.float32)})
        assert halted.step(ACTION)[1] == -190.0


def test_known_values_are_no_predictions_that_explode() -> None:
    """A clock may run on, and a reward be of any size; only what is not finite is refused."""

    def large(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        return torch.where(obs[:, 0] > 5e6, torch.inf, 1e6 * next_obs[:, 0])

    env = gym.make("LearnedModel-v0", **still(known={0: clock}, reward=large))
    for start, expected in ((1e6, False), (6e6, True)):
        env.reset(seed=0, options={"obs": np.array([start, 0.0], np.float32)})
        _, reward, _, _, info = env.step(ACTION)
        assert info["exploded"] is expected
        assert expected or reward == pytest.approx(1e12, rel=1e-4)


def test_what_is_known_is_not_uncertain() -> None:
    """Without reward and obs₁, of deviations (1, 1, 1), (2, 3, 6) and (1, 2, 2) those of obs₀ remain.

    The members' means of obs₀ are 1.5, 0 and −1.5, at most 3 apart.
    """
    known: dict[str, Any] = {"known": {1: "kept"}, "reward": distance}
    for penalty, expected in (("max_std", 3.0), ("max_disagreement", 3.0), ("ensemble_std", 0.75**0.5)):
        inside = gym.make("PenalizedModel-v0", penalty=penalty, **toy_options(**known))
        outside = UncertaintyPenalty(gym.make("LearnedModel-v0", **toy_options(**known)), penalty=penalty)
        for env in (inside, outside):
            env.reset(seed=0)
            assert env.step(ACTION)[4]["penalty"] == pytest.approx(expected, rel=1e-6)
    env = gym.make("PessimisticModel-v0", units="raw", **toy_options(**known))
    env.reset(seed=0)
    assert env.step(ACTION)[4]["disagreement"] == pytest.approx(3.0)


def test_right_columns_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gym.make("LearnedModel-v0", **still(known={0: clock, 1: "kept"}))


def ones(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    return torch.ones(len(obs), 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"known": {2: clock}}, "A column of known must be from 0 to 1, got 2"),
        ({"known": {-1: clock}}, "from 0 to 1, got -1"),
        ({"known": {"speed": clock}}, "from 0 to 1, got 'speed'"),
        ({"known": {0: clock, "0": "kept"}}, r"must be given once, got \[0, 0\]"),
        ({"known": {0: "constant"}}, "Unknown known column 'constant'. Valid: a function, kept, replayed"),
        ({"known": {0: ones}}, r"known columns 0 must return shape \(9, 1\), .* got \(9, 2\)"),
        ({"known": {0: lambda *step: "later"}}, "known columns 0 must return a tensor or array, got str"),
        ({"reward": ones}, r"the reward must return shape \(9,\), .* got \(9, 2\)"),
        ({"reward": lambda obs, *rest: obs[:, 0] / 0}, "must be finite on the dataset, got 9 of 9"),
        ({"reward": 3.0}, r"reward must be of type function \| None, got 3.0"),
        ({"known": 3}, "known must be of type"),
        ({"id": "AdversarialModel-v0", "known": {1: "kept"}}, "by its gradients, .*, got known="),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gym.make(**{"id": "LearnedModel-v0", **still(**settings)})


def test_what_has_no_function_is_rebuilt_from_its_spec(toy_dataset: str, toy_model: str) -> None:
    env = gym.make(
        "LearnedModel-v0", dataset=toy_dataset, model=toy_model, termination="never", known={1: "kept"}
    )
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert played(again, (1.0, 5.0)) == played(env, (1.0, 5.0))
    assert {row[1] for row in played(env, (1.0, 5.0))} == {5.0}


def test_the_data_are_the_users_but_for_rewards() -> None:
    env: Any = gym.make("LearnedModel-v0", **still(reward=distance)).unwrapped
    assert torch.equal(env.transitions.obs, toy_transitions().obs)
    assert env.transitions.rewards.tolist() == [-90.0, 20.0, 130.0] * 3


@pytest.mark.filterwarnings("ignore:Known columns 0 differ")  # the network knows nothing
def test_networks_that_are_known_leave_no_gradients() -> None:
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 1)

    def learned(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        del obs, action  # Unused.
        value: Tensor = net(next_obs).squeeze(-1)
        return value

    env = gym.make("LearnedModel-v0", **still(reward=learned))
    env.reset(seed=0)
    next_obs, reward, *_ = env.step(ACTION)
    assert reward == pytest.approx(net(torch.as_tensor(next_obs)[None]).item(), rel=1e-6)
    assert not env.get_wrapper_attr("transitions").rewards.requires_grad
    envs = gym.make_vec("LearnedModel-v0", num_envs=3, output="torch", **still(known={0: learned}))
    envs.reset(seed=0)
    assert not envs.step(torch.zeros(3, 1))[0].requires_grad


def test_a_reward_sees_the_observation_that_the_agent_sees() -> None:
    """The model moves by 6, the space ends at 9.5: from 9 the agent sees 9.5, not 15."""
    space = gym.spaces.Box(-9.5, 9.5, (2,), np.float32)
    data = toy_transitions()
    bounded = replace(data, obs_space=space)
    far = toy_ensemble(((0.0, 6.0, 0.0),) * 3, ((1e-6,) * 3,) * 3)

    def place(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        del obs, action  # Unused.
        return next_obs[:, 0]

    env = gym.make("LearnedModel-v0", **toy_options(dataset=bounded, model=far, reward=place))
    env.reset(seed=0, options={"obs": np.array([9.0, 0.0], np.float32)})
    obs, reward, *_ = env.step(ACTION)
    assert (obs[0], reward) == (9.5, 9.5)
