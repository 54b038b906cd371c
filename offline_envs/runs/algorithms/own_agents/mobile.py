"""MOBILE: an agent whose targets are penalised where the model's members disagree (Sun et al. 2023)."""

from collections.abc import Mapping
from typing import Any

from offline_envs.runs.algorithms.own_agents.own_agent import WithOwnAgent

RELEASE: Mapping[str, Any] = {
    "actor_learning_rate": 1e-4,
    "temperature_learning_rate": 1e-4,
    "actor_schedule": "cosine",
    "max_ent_coef": 1.0,
    "entropy_backup": False,
}
"""Options of the agent in MOBILE's release on D4RL, whose critics learn at 3e-4 as SAC's do."""

MOBILE_TRAINING = WithOwnAgent(
    "LearnedModel-v0",
    own_agent="mobile",
    defaults={"agent": "mobile", "agent_options": RELEASE},
)
"""MOBILE in the model of MBPO, with the learning rates and the entropy of its release.

β and its other settings are options of the agent, see `offline_envs.sb3.MOBILE`.
"""
