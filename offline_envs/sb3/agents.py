"""The agents by short name, imported when asked for: Stable-Baselines3's and our faster SAC."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.errors import unknown_name

AGENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sac": ("stable_baselines3", "SAC"),
        "fastsac": ("offline_envs.sb3.fast_sac.fast_sac", "FastSAC"),
        "td3": ("stable_baselines3", "TD3"),
        "ddpg": ("stable_baselines3", "DDPG"),
        "tqc": ("sb3_contrib", "TQC"),
        "crossq": ("sb3_contrib", "CrossQ"),
        "trpo": ("sb3_contrib", "TRPO"),
    }
)
"""Short name → module and class of each agent; all but TRPO learn from a replay buffer."""


def agent_class(name: str) -> type[BaseAlgorithm]:
    """Import the agent of that name.

    Args:
        name: One of `AGENTS`, e.g. `"sac"`.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    if name not in AGENTS:
        raise unknown_name("agent", name, AGENTS)
    module, class_name = AGENTS[name]
    agent: type[BaseAlgorithm] = getattr(importlib.import_module(module), class_name)
    return agent
