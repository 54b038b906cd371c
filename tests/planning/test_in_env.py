from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.data import load_transitions
from offline_envs.errors import SettingsError
from offline_envs.methods import Penalize
from offline_envs.planning import CEM, plan_in
from tests.nested import cart_rows
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


def test_a_planner_takes_the_dict_observations_of_its_environment() -> None:
    """Also those of the real environment, which declares its parts in another order."""

    def cart(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Columns are place₀, place₁, speed₀."""
        speed = obs[:, 2:] + action
        return torch.cat([obs[:, :2] + speed, speed], dim=-1), -(obs[:, 0] ** 2)

    options: dict[str, Any] = {"dataset": load_transitions(cart_rows(1)), "model": cart}
    options["termination"] = "never"
    envs: Any = gym.make_vec("LearnedModel-v0", 3, **options)
    for env in (gym.make("Cart-v0"), gym.make("LearnedModel-v0", **options), envs):
        obs, _ = env.reset(seed=0)
        columns = np.concatenate([obs["place"], obs["speed"]], axis=-1)
        by_name, by_column = (plan_in(envs, SMALL, seed=4).predict(seen)[0] for seen in (obs, columns))
        assert by_name.shape == env.action_space.shape
        assert by_name.tolist() == by_column.tolist()


def test_an_environment_without_a_model_is_refused() -> None:
    env = gym.make("InvertedDoublePendulum-v5")
    with pytest.raises(SettingsError, match="no learned model to plan in"):
        plan_in(env, SMALL)
    env.close()


def test_a_text_that_does_not_plan_is_refused() -> None:
    with pytest.raises(SettingsError, match="'uniform' does not plan"):
        plan_in(gym.make("LearnedModel-v0", **toy_options()), "uniform")
