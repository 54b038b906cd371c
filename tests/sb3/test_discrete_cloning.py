"""Behaviour cloning of discrete actions."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from sb3_contrib import QRDQN, TRPO
from stable_baselines3 import A2C, DQN, PPO

from offline_envs.data import Transitions, from_one_hot, one_hot, one_hot_box
from offline_envs.errors import SettingsError
from offline_envs.sb3 import BehaviorCloner, Imitator
from offline_envs.sb3.clone_losses import negative_log_likelihood, share_of_other_choices
from tests.discrete import chosen_options

SPACES = [Discrete(3), MultiDiscrete([2, 3])]


class Still(gym.Env[Any, Any]):
    """An environment to construct agents with, which is never stepped."""

    observation_space = Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, space: Any) -> None:
        self.action_space = space


def chosen(space: Any, n: int = 3000) -> Transitions:
    """The last choice is 0 or 1 by the sign of obs₀, in four of five rows; a first one of two is 1."""
    generator = torch.Generator().manual_seed(0)
    obs = torch.rand(n, 2, generator=generator) * 2 - 1
    last = (obs[:, 0] > 0) ^ (torch.rand(n, generator=generator) < 0.2)
    choices = last.long() if isinstance(space, Discrete) else torch.stack([torch.ones(n), last], dim=1).long()
    return Transitions(
        obs=obs,
        actions=one_hot(space, choices),
        rewards=torch.zeros(n),
        next_obs=obs,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=one_hot_box(space),
        discrete_actions=space,
    )


def make_agent(kind: Any, space: Any) -> Any:
    return kind("MlpPolicy", Still(space), device="cpu", seed=0, policy_kwargs={"net_arch": [16]})


@pytest.mark.parametrize("loss", ["mean", "likelihood"])
@pytest.mark.parametrize("kind", [PPO, TRPO, A2C])
@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_clone_chooses_as_often_as_the_data(kind: Any, space: Any, loss: str) -> None:
    agent, data = make_agent(kind, space), chosen(space)
    cloner = BehaviorCloner(agent, data, learning_rate=1e-2, loss=loss)
    cloner.train(300)
    n_choices = 1 if isinstance(space, Discrete) else 2
    assert cloner.error() == pytest.approx(0.2 / n_choices, abs=0.06)
    right = data.obs[:, 0] > 0.3
    choices = from_one_hot(space, data.actions)[right]
    likely = -negative_log_likelihood(agent.policy, data.obs[right], choices).detach()
    assert float(likely.exp().mean()) == pytest.approx(0.8**2 + 0.2**2, abs=0.06)
    action, _ = agent.predict(np.array([0.5, 0.0], np.float32), deterministic=True)
    assert np.reshape(action, -1).tolist() == [1] * n_choices


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_the_losses_by_hand(space: Any) -> None:
    """All logits 0: −log π = Σ log n over the choices, and the deterministic action is 0."""
    agent = make_agent(PPO, space)
    for parameter in agent.policy.action_net.parameters():
        parameter.data.zero_()
    choices = torch.tensor([0, 2]) if isinstance(space, Discrete) else torch.tensor([[0, 0], [0, 2]])
    expected = math.log(3) if isinstance(space, Discrete) else math.log(2) + math.log(3)
    obs = torch.zeros(2, 2)
    found = negative_log_likelihood(agent.policy, obs, choices)
    assert found.tolist() == pytest.approx([expected] * 2)
    half = 1.0 if isinstance(space, Discrete) else 0.5
    assert share_of_other_choices(agent.policy, obs, choices).tolist() == [0.0, half]


@pytest.mark.parametrize("kind", [DQN, QRDQN])
def test_values_cannot_be_cloned(kind: Any) -> None:
    with pytest.raises(SettingsError, match="needs a policy that gives them probabilities"):
        BehaviorCloner(make_agent(kind, Discrete(3)), chosen(Discrete(3)))


def test_other_choices_are_refused() -> None:
    with pytest.raises(SettingsError, match="obs 2 and action 3; it has obs 2 and action 2"):
        BehaviorCloner(make_agent(PPO, Discrete(2)), chosen(Discrete(3)))
    with pytest.raises(
        SettingsError, match="must have the actions of the agent's environment, MultiDiscrete"
    ):
        BehaviorCloner(make_agent(PPO, MultiDiscrete([2, 3])), chosen(Discrete(5)))


def test_an_expert_of_choices_is_imitated() -> None:
    """The expert always takes the last of three."""
    space = Discrete(3)
    envs = gym.make_vec("LearnedModel-v0", 4, **chosen_options(space))
    agent = make_agent(PPO, space)
    imitator = Imitator(
        agent,
        lambda obs: one_hot(space, torch.full((len(obs),), 2)),
        within=envs,
        rows=8,
        horizon=3,
        epochs=40,
    )
    imitator.round()
    assert imitator.round() == 0.0
    assert imitator.demonstrations.discrete_actions == space
