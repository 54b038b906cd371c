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
from offline_envs.sb3 import AveragedTRPO, BehaviorCloner, FastSAC, current_policy

ACTION_SPACE = Box(-2.0, 6.0, (2,), np.float32)
"""Centre 2 and half width 4, so that forgotten rescaling is noticed."""


class Still(gym.Env[Any, Any]):
    """An environment to construct agents with, which is never stepped."""

    observation_space = Box(-1.0, 1.0, (3,), np.float32)
    action_space = ACTION_SPACE


def linear_policy(n: int = 4000) -> Transitions:
    """Make steps whose action is a linear function of the observation, inside the bounds."""
    obs = torch.rand(n, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    action = 2 + obs @ torch.tensor([[1.0, 0.0], [0.5, -1.0], [0.0, 1.5]])
    return Transitions(
        obs=obs,
        actions=action,
        rewards=torch.zeros(n),
        next_obs=obs,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=ACTION_SPACE,
    )


class Walk(Still):
    """Random observations, without end."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, 3).astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.np_random.uniform(-1, 1, 3).astype(np.float32), float(action[0]), False, False, {}


def make_agent(kind: Any, env: gym.Env[Any, Any] | None = None, **options: Any) -> Any:
    policy = {"net_arch": [32, 32]}
    return kind("MlpPolicy", env or Still(), device="cpu", seed=0, policy_kwargs=policy, **options)


@pytest.mark.parametrize("kind", [SAC, TD3, DDPG, TQC, CrossQ, PPO, TRPO])
def test_any_agent_learns_the_actions_of_the_data(kind: Any) -> None:
    agent, data = make_agent(kind), linear_policy()
    cloner = BehaviorCloner(agent, data, learning_rate=3e-3)
    before = cloner.error()
    cloner.train(1000)
    assert cloner.error() < 0.1 * before
    action, _ = agent.predict(data.obs[:500].numpy(), deterministic=True)
    assert np.abs(action - data.actions[:500].numpy()).mean() < 0.25  # of bounds that lie 8 apart


def test_the_target_actor_follows() -> None:
    agent = make_agent(TD3)
    BehaviorCloner(agent, linear_policy()).train(3)
    for ours, theirs in zip(agent.actor.parameters(), agent.actor_target.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(FastSAC, {"learning_starts": 10}), (AveragedTRPO, {"n_steps": 20, "batch_size": 20})],
)
def test_an_average_starts_anew(kind: Any, options: dict[str, Any]) -> None:
    """An agent that has learned acts by its average, which would hardly move towards what was cloned."""
    agent = make_agent(kind, actor_ema_decay=0.99, env=Walk(), **options).learn(20)
    data = linear_policy()
    obs = data.obs[:500].numpy()

    def distance() -> float:
        action, _ = agent.predict(obs, deterministic=True)
        return float(np.abs(action - data.actions[:500].numpy()).mean())

    cloner, before = BehaviorCloner(agent, data, learning_rate=3e-3), distance()
    cloner.train(0)
    assert distance() == before
    cloner.train(500)
    assert distance() < before / 3
    current = current_policy(agent)
    assert current is not None
    ours, theirs = (policy.predict(obs, deterministic=True)[0] for policy in (agent, current))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", [SAC, TRPO])
def test_nothing_but_the_policy_changes(kind: Any) -> None:
    agent = make_agent(kind)
    critics = {name: value.clone() for name, value in agent.policy.state_dict().items() if "critic" in name}
    critics |= {n: v.clone() for n, v in agent.policy.state_dict().items() if "value" in n or n == "log_std"}
    BehaviorCloner(agent, linear_policy()).train(5)
    assert critics
    for name, value in critics.items():
        assert torch.equal(agent.policy.state_dict()[name], value), name


def test_the_error_is_the_squared_distance_in_the_policys_units() -> None:
    agent = make_agent(SAC)
    for parameter in agent.actor.parameters():
        parameter.data.zero_()  # the action is now 0 of [−1, 1]
    data = linear_policy(10)
    cloner = BehaviorCloner(agent, data, seed=3)
    held_out = torch.randperm(10, generator=torch.Generator().manual_seed(3))[:1]
    expected = ((data.actions[held_out] - 2) / 4).square().mean()
    assert cloner.error() == pytest.approx(float(expected), rel=1e-5)


def test_the_same_seed_gives_the_same_policy() -> None:
    weights = []
    for _ in range(2):
        agent = make_agent(SAC)
        BehaviorCloner(agent, linear_policy(), seed=5).train(4)
        weights.append(agent.actor.mu.weight.detach().clone())
    assert torch.equal(*weights)


def test_a_given_holdout_is_left_out_of_the_fit() -> None:
    data, held = linear_policy(), torch.tensor([5, 2])
    found = BehaviorCloner(make_agent(SAC), data, holdout=held)
    assert found._holdout.tolist() == [5, 2]
    assert sorted(found._train.tolist()) == [row for row in range(len(data)) if row not in (2, 5)]


@pytest.mark.parametrize("rows", [[], [0, 0], [-1], [100_000], list(range(len(linear_policy())))])
def test_a_holdout_that_is_no_part_of_the_data_is_refused(rows: list[int]) -> None:
    with pytest.raises(
        SettingsError, match=r"holdout must name some of the \d+ rows .*, each once, and not all"
    ):
        BehaviorCloner(make_agent(SAC), linear_policy(), holdout=torch.tensor(rows, dtype=torch.int64))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be positive, got 0"):
        BehaviorCloner(make_agent(SAC), linear_policy(), batch_size=0)
    pendulum = SAC("MlpPolicy", "Pendulum-v1", device="cpu")
    with pytest.raises(SettingsError, match="obs 3 and action 2; it has obs 3 and action 1"):
        BehaviorCloner(pendulum, linear_policy())
