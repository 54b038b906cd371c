from typing import Any

import gymnasium as gym
import pytest

from offline_envs.errors import SettingsError
from offline_envs.methods import Penalize
from offline_envs.planning import CEM, plan_in
from tests.toy import toy_options

SMALL = "cem:horizon=2,candidates=8,elites=2,particles=2"


def test_a_planner_plans_in_the_mdp_of_its_environment() -> None:
    single: Any = gym.make("PenalizedModel-v0", **toy_options())
    vector: Any = gym.make_vec("PenalizedModel-v0", 3, **toy_options())
    for env, obs in ((single, single.reset(seed=0)[0]), (vector, vector.reset(seed=0)[0])):
        planner = plan_in(env, SMALL, seed=4)
        assert isinstance(planner, CEM)
        assert planner.mdp is env.unwrapped.mdp
        assert isinstance(planner.mdp.transform, Penalize)
        assert planner.generator.initial_seed() == 4
        actions, _ = planner.predict(obs)
        assert env.action_space.contains(actions)


def test_an_environment_without_a_model_is_refused() -> None:
    env = gym.make("InvertedDoublePendulum-v5")
    with pytest.raises(SettingsError, match="no learned model to plan in"):
        plan_in(env, SMALL)
    env.close()


def test_a_text_that_does_not_plan_is_refused() -> None:
    with pytest.raises(SettingsError, match="'uniform' does not plan"):
        plan_in(gym.make("LearnedModel-v0", **toy_options()), "uniform")
