import math
import statistics
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import SAC
from torch import Tensor, nn

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.errors import SettingsError
from offline_envs.kernels import Block, StackedMLP
from offline_envs.mdp import mdp
from offline_envs.sb3.fast_sac.support import stacked_actor, stacked_critics
from offline_envs.sb3.offline_sac.inconsistency import Inconsistency, SuccessorNoise, spread_of_means
from tests.sb3.toy import ACTION_SPACE
from tests.toy import toy_ensemble

CONSTANT = ((0.0, 1.5, 0.0), (0.0, 0.0, 6.0), (0.0, -1.5, 0.0))
"""Means of (reward, Δobs₀, Δobs₁) of three members, of which the last and the first are elites."""


def linear(*layers: tuple[list[float], float]) -> StackedMLP:
    """Networks of one output without hidden layers, from their weights and biases."""
    weights = [torch.tensor([weight]) for weight, _ in layers]
    return StackedMLP([Block(weights, [torch.tensor([bias]) for _, bias in layers])], len(layers), nn.ReLU)


def constant_actor(mean: float) -> StackedMLP:
    """An actor whose action is tanh(mean + noise), whatever it observes."""
    return StackedMLP([Block([torch.zeros(2, 2)], [torch.tensor([mean, 0.0])])], 1, nn.ReLU)


def value_of_obs_0(model: EnsembleDynamics) -> Inconsistency:
    """Of two critics, Q̄₀ = s₀ and Q̄₁ = s₀ + 1, the first is always the smaller."""
    critics = linear(([1.0, 0.0, 0.0], 0.0), ([1.0, 0.0, 0.0], 1.0))
    return Inconsistency(model, constant_actor(0.0), critics, ACTION_SPACE)


def test_two_elites_that_predict_constants() -> None:
    """From any state the next s₀ is 1.5 lower or 1.5 higher: the unbiased deviation is √(2 · 1.5² / 1)."""
    measure = value_of_obs_0(toy_ensemble(CONSTANT, ((1e-6,) * 3,) * 3))
    obs, action = torch.tensor([[0.0, 0.0], [10.0, 5.0], [-3.0, 1.0]]), torch.zeros(3, 1)
    noise = measure.draw(3, 4, torch.Generator().manual_seed(0))
    assert noise.obs.shape == (2, 4, 3, 2)
    assert noise.action.shape == (2, 4, 3, 1)
    torch.testing.assert_close(measure(obs, action, noise), torch.full((3, 1), 4.5**0.5), rtol=0, atol=1e-5)


def test_members_that_agree_have_no_inconsistency_but_that_of_their_samples() -> None:
    """Both expect the same; with one successor each, U is the spread of two normal numbers of deviation 2."""
    same = toy_ensemble(((0.0, 1.0, 0.0),) * 3, ((1.0, 2.0, 1.0),) * 3)
    measure = value_of_obs_0(same)
    obs, action = torch.zeros(1, 2), torch.zeros(1, 1)
    noise = SuccessorNoise(torch.tensor([0.5, 3.0, -0.25, 3.0]).view(2, 1, 1, 2), torch.zeros(2, 1, 1, 1))
    assert float(measure(obs, action, noise)) == pytest.approx(2 * 0.75 / 2**0.5, abs=1e-5)
    many = measure.draw(1, 20_000, torch.Generator().manual_seed(0))
    assert float(measure(obs, action, many)) < 0.05


def test_the_action_of_the_policy_at_the_successor_counts() -> None:
    """Q̄ = a′ and a′ = tanh(noise): noise of one elite 1, of the other 0."""
    critics = linear(([0.0, 0.0, 1.0], 0.0))
    model = toy_ensemble(CONSTANT, ((1e-6,) * 3,) * 3)
    measure = Inconsistency(model, constant_actor(0.0), critics, ACTION_SPACE)
    noise = SuccessorNoise(torch.zeros(2, 1, 1, 2), torch.tensor([1.0, 0.0]).view(2, 1, 1, 1))
    expected = statistics.stdev([math.tanh(1.0), 0.0])
    assert float(measure(torch.zeros(1, 2), torch.zeros(1, 1), noise)) == pytest.approx(expected, abs=1e-6)


def test_means_come_before_the_deviation_which_is_unbiased() -> None:
    values = torch.tensor([[1.0, 5.0], [2.0, 0.0], [7.0, 1.0]])[..., None]  # means 3, 1 and 4
    expected = statistics.stdev([3.0, 1.0, 4.0])
    assert float(spread_of_means(values)) == pytest.approx(expected)


def random_agent_and_model() -> tuple[SAC, EnsembleDynamics]:
    """Networks with random weights, and targets that differ from the critics."""
    obs_space = Box(-np.inf, np.inf, (3,), np.float32)
    env = _Spaces(obs_space, Box(np.array([-2.0, 0.0], np.float32), np.array([6.0, 0.5], np.float32)))
    options: Any = {"policy_kwargs": {"net_arch": [16, 12], "n_critics": 3}, "device": "cpu", "seed": 0}
    agent = SAC("MlpPolicy", env, buffer_size=1, **options)
    model = EnsembleDynamics(3, 2, settings=EnsembleSettings(n_members=5, n_elites=4, hidden=(8, 8)), seed=3)
    model.normalizer.fit(torch.randn(100, 5, generator=torch.Generator().manual_seed(1)) * 2 + 1)
    model.elites.copy_(torch.tensor([3, 0, 4, 1]))
    with torch.no_grad():
        for parameter in agent.critic_target.parameters():
            parameter.add_(0.1)
        for head in model.heads:
            head.get_parameter("bias").normal_(generator=torch.Generator().manual_seed(2))
    return agent, model


class _Spaces(gym.Env[Any, Any]):
    """An environment that is never stepped."""

    def __init__(self, observation_space: Box, action_space: Box) -> None:
        self.observation_space, self.action_space = observation_space, action_space


@torch.no_grad()
def plain_loop(
    agent: Any, model: EnsembleDynamics, obs: Tensor, action: Tensor, noise: SuccessorNoise
) -> Tensor:
    """U row by row, elite by elite and successor by successor, with Stable-Baselines3's own modules."""
    n_elites, n_successors, n_rows = noise.obs.shape[:3]
    low, high = (torch.as_tensor(bound) for bound in (agent.action_space.low, agent.action_space.high))
    found = []
    for row in range(n_rows):
        own_action = low + (action[row] + 1) / 2 * (high - low)
        everyone = model.predict(obs[row : row + 1], own_action[None])
        values = []
        for place in range(n_elites):
            mean, std = (part[model.elites[place], 0, 1:] for part in everyone)
            total = 0.0
            for sample in range(n_successors):
                next_obs = (obs[row] + mean + std * noise.obs[place, sample, row])[None]
                mu, log_std, _ = agent.actor.get_action_dist_params(next_obs)
                next_action = torch.tanh(mu + log_std.exp() * noise.action[place, sample, row])
                total += min(float(q) for q in agent.critic_target(next_obs, next_action))
            values.append(total / n_successors)
        found.append(np.std(values, ddof=1))
    return torch.tensor(found, dtype=torch.float32)[:, None]


def measure_of(agent: Any, model: EnsembleDynamics, *, dtype: torch.dtype | None = None) -> Inconsistency:
    targets = stacked_critics(agent.critic_target, agent.policy.activation_fn)
    return Inconsistency(model, stacked_actor(agent.actor), targets, agent.action_space, dtype=dtype)


@pytest.mark.parametrize("chunk", [1024, 7])
def test_it_is_what_plain_loops_give(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdp, "CPU_CHUNK", chunk)
    agent, model = random_agent_and_model()
    generator = torch.Generator().manual_seed(5)
    obs, action = torch.randn(6, 3, generator=generator), torch.rand(6, 2, generator=generator) * 2 - 1
    measure = measure_of(agent, model)
    noise = measure.draw(6, 3, generator)
    expected = plain_loop(agent, model, obs, action, noise)
    assert expected.min() > 0.01
    torch.testing.assert_close(measure(obs, action, noise), expected, rtol=1e-4, atol=1e-6)


def test_it_follows_weights_that_change() -> None:
    agent, model = random_agent_and_model()
    measure = measure_of(agent, model)
    obs, action = torch.ones(2, 3), torch.zeros(2, 2)
    noise = measure.draw(2, 3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in (*agent.actor.parameters(), *agent.critic_target.parameters()):
            parameter.mul_(1.5)
    expected = plain_loop(agent, model, obs, action, noise)
    torch.testing.assert_close(measure(obs, action, noise), expected, rtol=1e-4, atol=1e-6)


def test_rounded_products_give_nearly_the_same() -> None:
    agent, model = random_agent_and_model()
    generator = torch.Generator().manual_seed(5)
    obs, action = torch.randn(64, 3, generator=generator), torch.rand(64, 2, generator=generator) * 2 - 1
    exact, rounded = measure_of(agent, model), measure_of(agent, model, dtype=torch.bfloat16)
    noise = exact.draw(64, 10, generator)
    expected, found = exact(obs, action, noise), rounded(obs, action, noise)
    assert found.dtype == torch.float32
    assert 0 < float((found - expected).abs().mean()) < 0.02 * float(expected.mean())


def test_a_single_elite_is_refused() -> None:
    with pytest.raises(SettingsError, match="two or more, got 1"):
        value_of_obs_0(toy_ensemble(elites=(1,)))
