import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from sb3_contrib import TQC, TRPO, CrossQ
from stable_baselines3 import DDPG, PPO, SAC, TD3

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.sb3 import BehaviorCloner
from offline_envs.sb3.clone_losses import BOUND_MARGIN, negative_log_likelihood

ACTION_SPACE = Box(-2.0, 6.0, (2,), np.float32)
"""Centre 2 and half width 4, so that forgotten rescaling is noticed."""


class Still(gym.Env[Any, Any]):
    """An environment to construct agents with, which is never stepped."""

    observation_space = Box(-1.0, 1.0, (3,), np.float32)
    action_space = ACTION_SPACE


def noisy_policy(n: int = 6000) -> tuple[Transitions, torch.Tensor]:
    """Make steps of a squashed Gaussian of deviation 0.2 or 0.6, by the sign of the first observation.

    Returns:
        The steps, and the distances of their actions from tanh(μ), in [−1, 1].
    """
    generator = torch.Generator().manual_seed(0)
    obs = torch.rand(n, 3, generator=generator) * 2 - 1
    mean = 0.4 * obs[:, 1:]
    std = torch.where(obs[:, :1] > 0, 0.6, 0.2)
    scaled = torch.tanh(mean + std * torch.randn(n, 2, generator=generator))
    data = Transitions(
        obs=obs,
        actions=2 + 4 * scaled,
        rewards=torch.zeros(n),
        next_obs=obs,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=ACTION_SPACE,
    )
    return data, scaled - torch.tanh(mean)


def make_agent(kind: Any) -> Any:
    return kind("MlpPolicy", Still(), device="cpu", seed=0, policy_kwargs={"net_arch": [32, 32]})


def rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


@pytest.mark.parametrize("kind", [SAC, TQC, CrossQ])
def test_sampled_actions_lie_as_far_off_as_those_of_the_data(kind: Any) -> None:
    """With the mean alone they keep the spread of a new policy, so that rollouts start as good as random."""
    data, distances = noisy_policy()
    agent = make_agent(kind)
    BehaviorCloner(agent, data, loss="likelihood", learning_rate=1e-2).train(300)
    agent.policy.set_training_mode(False)
    with torch.no_grad():
        certain = agent.policy._predict(data.obs, deterministic=True)
        sampled = agent.policy._predict(data.obs, deterministic=False)
    for rows in (data.obs[:, 0] > 0.1, data.obs[:, 0] < -0.1):
        assert rms(sampled[rows] - certain[rows]) == pytest.approx(rms(distances[rows]), rel=0.2)


def test_by_the_mean_alone_the_spread_stays_that_of_a_new_policy() -> None:
    data, distances = noisy_policy()
    agent = make_agent(SAC)
    BehaviorCloner(agent, data, learning_rate=3e-3).train(300)
    with torch.no_grad():
        off = agent.policy._predict(data.obs) - agent.policy._predict(data.obs, deterministic=True)
    assert rms(off) > 1.5 * rms(distances)


@pytest.mark.parametrize("kind", [TRPO, PPO])
def test_a_gaussian_learns_the_deviation_in_the_environments_units(kind: Any) -> None:
    """The best single deviation is the root mean square of 4 · the distances."""
    data, distances = noisy_policy()
    agent = make_agent(kind)
    BehaviorCloner(agent, data, loss="likelihood", learning_rate=1e-2).train(300)
    assert agent.policy.log_std.exp().tolist() == pytest.approx([4 * rms(distances)] * 2, rel=0.1)


def test_the_likelihood_is_that_of_a_squashed_gaussian_also_at_a_bound() -> None:
    """By hand with μ = 0 and σ = 1: −log π(a) = Σ ½ u² + ½ log 2π + log(1 − a² + 10⁻⁶), u = artanh a."""
    agent = make_agent(SAC)
    for parameter in agent.actor.parameters():
        parameter.data.zero_()
    found = negative_log_likelihood(agent.policy, torch.zeros(2, 3), torch.tensor([[0.5, 0.0], [1.0, -1.0]]))

    def term(a: float) -> float:
        return 0.5 * math.atanh(a) ** 2 + 0.5 * math.log(2 * math.pi) + math.log(1 - a * a + 1e-6)

    bound = 1 - BOUND_MARGIN
    assert found.tolist() == pytest.approx([term(0.5) + term(0), term(bound) + term(-bound)], rel=1e-4)


def test_actions_at_the_bounds_keep_the_policy_finite_and_send_it_there() -> None:
    data, _ = noisy_policy(500)
    data = Transitions(**{**vars(data), "actions": torch.tensor([[-2.0, 6.0]]).expand(500, 2).contiguous()})
    agent = make_agent(SAC)
    BehaviorCloner(agent, data, loss="likelihood", learning_rate=3e-3).train(300)
    action, _ = agent.predict(data.obs[:9].numpy(), deterministic=True)
    assert np.abs(action - np.array([-2.0, 6.0])).max() < 0.1


@pytest.mark.parametrize("kind", [TD3, DDPG])
def test_a_deterministic_policy_has_no_likelihood(kind: Any) -> None:
    with pytest.raises(SettingsError, match="needs a policy that samples its actions, and TD3Policy is"):
        BehaviorCloner(make_agent(kind), noisy_policy(10)[0], loss="likelihood")


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Unknown loss .mode.\. Valid: likelihood, mean"):
        BehaviorCloner(make_agent(SAC), noisy_policy(10)[0], loss="mode")
