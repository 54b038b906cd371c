"""`AGENTS`: the agents by short name, their classes named by strings, so that importing this is cheap."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offline_envs.registry import Registry

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

__all__ = ["AGENTS", "Agent", "find_saved_agent", "off_policy_agents", "online_agents", "saved_agents"]


@dataclass(frozen=True)
class Agent:
    """An agent of Stable-Baselines3, or a class with the same interface.

    Attributes:
        module: Module that holds the class; imported by `load`.
        class_name: Name of the class in it.
        off_policy: Whether it learns from a replay buffer.
        needs_noise: Whether its policy is deterministic, so that it explores only by noise added to its
            actions.
        offline: Whether it needs a learned model or rows of a dataset, so that it cannot learn from a real
            environment alone.
        continuous: Whether it can act in a Box.
        discrete: Whether it can choose among discrete actions.
    """

    module: str
    class_name: str
    off_policy: bool = True
    needs_noise: bool = False
    offline: bool = False
    continuous: bool = True
    discrete: bool = False

    def load(self) -> "type[BaseAlgorithm]":
        """Import the class."""
        agent: type[BaseAlgorithm] = getattr(importlib.import_module(self.module), self.class_name)
        return agent


AGENTS: Registry[Agent] = Registry(
    "agent",
    {
        "sac": Agent("stable_baselines3", "SAC"),
        "fastsac": Agent("offline_envs.sb3.fast_sac.fast_sac", "FastSAC"),
        "combo": Agent("offline_envs.sb3.offline_sac.combo", "COMBO", offline=True),
        "ravl": Agent("offline_envs.sb3.offline_sac.ravl", "RAVL"),
        "redq": Agent("offline_envs.sb3.offline_sac.redq", "REDQ"),
        "mobile": Agent("offline_envs.sb3.offline_sac.mobile", "MOBILE", offline=True),
        "td3": Agent("stable_baselines3", "TD3", needs_noise=True),
        "ddpg": Agent("stable_baselines3", "DDPG", needs_noise=True),
        "tqc": Agent("sb3_contrib", "TQC"),
        "crossq": Agent("sb3_contrib", "CrossQ"),
        "dqn": Agent("stable_baselines3", "DQN", continuous=False, discrete=True),
        "qrdqn": Agent("sb3_contrib", "QRDQN", continuous=False, discrete=True),
        "trpo": Agent("offline_envs.sb3.averaged_trpo", "AveragedTRPO", off_policy=False, discrete=True),
    },
)
"""Every agent by name. Other packages add theirs: `AGENTS.register("mine", Agent("my_package", "Mine"))`."""


def off_policy_agents() -> list[str]:
    """Names of the agents that learn from a replay buffer, in the table's order."""
    return [name for name, agent in AGENTS.items() if agent.off_policy]


def online_agents() -> list[str]:
    """Names of those among them that learn in a real environment, without a model or a dataset."""
    return [name for name in off_policy_agents() if not AGENTS[name].offline]


ONLY_SAVED: Registry[Agent] = Registry(
    "agent",
    {
        "a2c": Agent("stable_baselines3", "A2C", off_policy=False, discrete=True),
        "ppo": Agent("stable_baselines3", "PPO", off_policy=False, discrete=True),
    },
)
"""Further agents, whose saved policies can be scored and rolled out; no run trains them."""


def saved_agents() -> list[str]:
    """Names of the agents whose saved policies can be loaded, sorted."""
    return sorted({*AGENTS, *ONLY_SAVED})


def find_saved_agent(name: str) -> Agent:
    """The agent that saved a policy.

    Raises:
        SettingsError: No agent has the name; the message lists the valid ones.
    """
    return Registry("agent", {**ONLY_SAVED, **AGENTS}).find(name)
