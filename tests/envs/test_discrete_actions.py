"""Learned environments of discrete actions: agents see the space of the data, the model one-hot numbers."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete, MultiDiscrete
from gymnasium.utils.env_checker import check_env
from gymnasium.vector.utils import batch_space
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import check_vector_env, rollout
from offline_envs.errors import SettingsError
from offline_envs.planning import plan_in
from offline_envs.policies import UniformChoices, as_policy
from offline_envs.wrappers import UncertaintyPenalty
from offline_envs.wrappers.vector import UncertaintyPenalty as VectorPenalty
from tests.discrete import FAST_FIT, cart_pole, choosing, chosen_options

SPACES = [Discrete(3), Discrete(3, start=4), MultiDiscrete([2, 3])]


def made(space: Any, **changes: Any) -> gym.Env[Any, Any]:
    return gym.make("LearnedModel-v0", **chosen_options(space, **changes))


@pytest.mark.filterwarnings("ignore:.*Box observation space m:UserWarning")  # those without bounds
@pytest.mark.parametrize("space", SPACES)
def test_spaces_are_those_of_the_data_and_both_checkers_agree(space: Any) -> None:
    env = made(space)
    assert env.action_space == space
    check_env(env.unwrapped, skip_render_check=True)
    if not np.any(space.start):  # which SB3 does not support
        check_env_for_sb3(made(space), warn=False)
    envs = gym.make_vec("LearnedModel-v0", 3, **chosen_options(space))
    assert envs.single_action_space == space
    assert envs.action_space == batch_space(space, 3)
    check_vector_env(envs)


def test_the_model_is_given_the_choice() -> None:
    """The known model pays the number of the column."""
    env = made(Discrete(3))
    env.reset(seed=0)
    assert [env.step(action)[1] for action in (0, 2, np.int64(1))] == [0.0, 2.0, 1.0]
    env = made(MultiDiscrete([2, 3]))
    env.reset(seed=0)
    assert env.step(np.array([1, 2]))[1] == 1.0 + 4.0  # columns 1 and 2 + 2


@pytest.mark.filterwarnings("ignore:On the holdout:UserWarning")  # a fit of three epochs
@pytest.mark.parametrize("space", SPACES)
def test_single_and_vector_environments_give_the_same_numbers(space: Any) -> None:
    options: dict[str, Any] = {
        "dataset": choosing(space),
        **FAST_FIT,
        "termination": "never",
        "progress": False,
    }
    single = gym.make("PenalizedModel-v0", **options)
    envs = gym.make_vec("PenalizedModel-v0", 1, **options, autoreset_mode="Disabled")
    assert single.reset(seed=1)[0].tolist() == envs.reset(seed=1)[0][0].tolist()
    space.seed(2)
    for _ in range(4):
        action = space.sample()
        obs, reward, *_ = single.step(action)
        rows, rewards, *_ = envs.step(np.asarray(action)[None])
        assert obs.tolist() == rows[0].tolist()
        assert reward == rewards[0]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (2, r"must be in Discrete\(2\), got 2"),
        (-1, r"must be in Discrete\(2\)"),
        (0.0, r"must be integers of shape \(\), got torch.float32"),
        (np.array([1]), r"of shape \(\), got torch.int64 of shape \(1,\)"),
        (True, "must be integers"),
    ],
)
def test_what_is_no_choice_is_refused(action: Any, message: str) -> None:
    env = made(Discrete(2)).unwrapped
    env.reset(seed=0)
    with pytest.raises(SettingsError, match=message):
        env.step(action)


def test_a_rollout_records_one_hot_numbers_whoever_acts() -> None:
    space = MultiDiscrete([2, 3])
    envs = gym.make_vec("LearnedModel-v0", 2, **chosen_options(space))
    spaces = envs.unwrapped.transitions.agent_spaces  # type: ignore[attr-defined]

    class Last:
        def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, None]:
            return np.tile([1, 2], (len(observation), 1)), None

    found = rollout(as_policy(Last(), spaces), 4, 3, within=envs, seed=0)
    assert found.action.tolist() == [[[0, 1, 0, 0, 1]] * 4] * 3
    assert found.reward.tolist() == [[5.0] * 4] * 3
    drawn = rollout(UniformChoices(space, torch.Generator().manual_seed(0)), 500, 2, within=envs, seed=0)
    assert drawn.action.sum(dim=-1).unique().tolist() == [2.0]
    assert drawn.action.mean(dim=(0, 1)).tolist() == pytest.approx(
        [1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3], abs=0.06
    )


def test_uniform_choices_act_in_the_real_environment_as_well() -> None:
    acts = UniformChoices(Discrete(2), torch.Generator().manual_seed(0))
    action, _ = acts.predict(np.zeros(4))
    assert action in Discrete(2)
    assert acts.predict(np.zeros((5, 4)))[0].shape == (5,)


def test_cart_pole_is_learned_and_ends_by_its_known_rule() -> None:
    data = cart_pole()
    env = gym.make("PenalizedModel-v0", dataset=data, **FAST_FIT, progress=False)
    assert env.action_space == Discrete(2)
    tilted = np.array([0.0, 0.0, 0.3, 0.0], np.float32)
    env.reset(seed=0, options={"obs": tilted})
    assert env.step(1)[2]
    env.reset(seed=0, options={"obs": np.zeros(4, np.float32)})
    assert not env.step(1)[2]


def test_wrappers_measure_uncertainty_of_choices_in_the_real_environment() -> None:
    data = cart_pole()
    learned = gym.make("LearnedModel-v0", dataset=data, **FAST_FIT, progress=False)
    model = learned.unwrapped.ensemble  # type: ignore[attr-defined]
    single = UncertaintyPenalty(gym.make("CartPole-v1"), 1.0, model=model)
    vector = VectorPenalty(gym.make_vec("CartPole-v1", 1, vectorization_mode="sync"), 1.0, model=model)
    single.reset(seed=3)
    vector.reset(seed=3)
    for action in (0, 1, 1):
        reward = single.step(action)[1]
        rewards = vector.step(np.array([action]))[1]
        assert reward == pytest.approx(float(rewards[0]), abs=1e-6)
        assert reward < 1.0


def test_planners_refuse_choices() -> None:
    with pytest.raises(SettingsError, match=r"A planner needs continuous actions, a Box, got Discrete\(3\)"):
        plan_in(made(Discrete(3)), "cem:horizon=3")
