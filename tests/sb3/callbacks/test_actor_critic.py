from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from stable_baselines3 import PPO, SAC
from torch import nn

from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3ActorCritic, SB3VecEnv, agent_class
from tests.sb3.toy import WITH_CRITICS, CountingVectorEnv

Array = NDArray[np.float64]
LOW, HIGH = -2.0, 6.0
"""Bounds of `CountingVectorEnv`'s actions."""


def make_agent(name: str, **settings: Any) -> Any:
    kind: Any = agent_class(name)
    return kind(
        "MlpPolicy",
        SB3VecEnv(CountingVectorEnv([9, 9], horizon=2)),
        policy_kwargs={"net_arch": [4]},
        learning_starts=0,
        device="cpu",
        seed=0,
        **settings,
    )


def by_hand(layers: nn.Module, x: Array) -> Array:
    """A network's layers one by one, in float64 NumPy, batch norm with its running statistics."""
    for layer in layers.children():
        kept = {name: value.double().numpy() for name, value in layer.state_dict().items()}
        if isinstance(layer, nn.Linear):
            x = x @ kept["weight"].T + kept["bias"]
        elif isinstance(layer, nn.ReLU):
            x = np.maximum(x, 0)
        elif isinstance(layer, nn.Tanh):
            x = np.tanh(x)
        else:
            x = kept["scale"] * (x - kept["ra_mean"]) / np.sqrt(kept["ra_var"] + layer.eps) + kept["bias"]
    return x


def best_action(agent: Any, obs: Array) -> Array:
    """The deterministic action in [−1, 1]."""
    if isinstance(agent.actor.mu, nn.Linear):
        return np.tanh(by_hand(nn.Sequential(agent.actor.mu), by_hand(agent.actor.latent_pi, obs)))
    return by_hand(agent.actor.mu, obs)


def smallest_value(agent: Any, obs: Array, scaled: Array) -> Array:
    inputs = np.concatenate([obs, scaled], axis=1)
    each = [by_hand(network, inputs).mean(axis=1) for network in agent.critic.q_networks]  # TQC: quantiles
    least: NDArray[np.float64] = np.min(each, axis=0)
    return least


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_values_are_those_of_the_networks(name: str) -> None:
    agent = make_agent(name, batch_size=8).learn(40)
    view, rng = SB3ActorCritic(agent), np.random.default_rng(0)
    obs, action = rng.normal(size=(50, 2)), rng.uniform(LOW, HIGH, size=(50, 1))
    obs_t, action_t = torch.tensor(obs, dtype=torch.float32), torch.tensor(action, dtype=torch.float32)
    scaled = (action - LOW) / (HIGH - LOW) * 2 - 1
    values = view.action_value(obs_t, action_t).numpy()
    np.testing.assert_allclose(values, smallest_value(agent, obs, scaled), rtol=1e-4, atol=1e-5)
    expected = smallest_value(agent, obs, best_action(agent, obs))
    np.testing.assert_allclose(view.state_value(obs_t).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_actions_are_the_policys_in_the_units_of_the_environment(name: str) -> None:
    agent = make_agent(name)
    view, obs = SB3ActorCritic(agent), torch.randn(2000, 2)
    best = LOW + (best_action(agent, obs.double().numpy()) + 1) / 2 * (HIGH - LOW)
    actions = view.act(obs)
    assert actions.shape == (2000, 1)
    assert bool(((actions >= LOW) & (actions <= HIGH)).all())
    if name in ("td3", "ddpg"):
        np.testing.assert_allclose(actions.numpy(), best, rtol=1e-5, atol=1e-5)
    else:
        assert (actions - view.act(obs)).abs().mean() > 0.1  # a fresh sample
        assert abs(actions.mean() - best.mean()) < 0.2


def test_evaluation_does_not_update_batch_norm() -> None:
    """A view in training mode would mix imagined states into the running statistics of the critic."""
    agent = make_agent("crossq")
    agent.policy.set_training_mode(True)
    before = [value.clone() for value in agent.policy.state_dict().values()]
    view, obs = SB3ActorCritic(agent), torch.randn(30, 2)
    view.action_value(obs, view.act(obs))
    view.state_value(obs)
    for ours, theirs in zip(agent.policy.state_dict().values(), before, strict=True):
        assert torch.equal(ours, theirs)
    assert agent.policy.training
    assert agent.critic.training


def test_agents_without_critics_or_bounds_are_refused() -> None:
    envs = SB3VecEnv(CountingVectorEnv([9, 9], horizon=2))
    with pytest.raises(SettingsError, match=r"critics Q\(s, a\), and PPO has no actor\. Use SAC"):
        SB3ActorCritic(PPO("MlpPolicy", envs, device="cpu"))

    class Unbounded(gym.Env[Any, Any]):
        observation_space = Box(-1, 1, (2,))
        action_space = Box(-np.inf, np.inf, (1,))

    agent = SAC("MlpPolicy", envs, device="cpu")
    agent.action_space = Unbounded.action_space
    with pytest.raises(SettingsError, match="bounded actions"):
        SB3ActorCritic(agent)
