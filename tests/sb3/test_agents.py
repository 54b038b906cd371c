from typing import Any

import pytest
from stable_baselines3 import PPO, SAC

from offline_envs.errors import SettingsError
from offline_envs.sb3 import AGENTS, agent_class, gradient_steps


@pytest.mark.parametrize("name", AGENTS)
def test_each_name_gives_its_class(name: str) -> None:
    assert agent_class(name).__name__.lower() == {"trpo": "averagedtrpo"}.get(name, name)


def test_an_unknown_agent_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"Unknown agent 'ppo'\. Valid: combo, crossq, ddpg, dqn, fasts"):
        agent_class("ppo")


def test_gradient_steps_are_counted() -> None:
    agent = SAC("MlpPolicy", "Pendulum-v1", learning_starts=4, batch_size=2, policy_kwargs={"net_arch": [4]})
    assert gradient_steps(agent) == 0
    assert gradient_steps(agent.learn(10)) == 6  # one after each step from the fifth


def test_of_ppo_epochs_are_counted() -> None:
    """Three for each of two rollouts; each takes a gradient step for either half of its rollout."""
    settings: dict[str, Any] = {
        "n_steps": 8,
        "batch_size": 4,
        "n_epochs": 3,
        "policy_kwargs": {"net_arch": [4]},
    }
    assert gradient_steps(PPO("MlpPolicy", "Pendulum-v1", **settings).learn(16)) == 6
    assert "for PPO, epochs" in str(gradient_steps.__doc__)
