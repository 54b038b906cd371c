"""COMBO: an agent with a conservative critic in a model without pessimism (Yu et al. 2021)."""

from offline_envs.runs.algorithms.own_agents.own_agent import WithOwnAgent

COMBO_TRAINING = WithOwnAgent(
    "LearnedModel-v0", own_agent="combo", defaults={"agent": "combo", "real_ratio": 0.5}
)
"""COMBO, with the mixture of the paper.

β and its other settings are options of the agent, see `offline_envs.sb3.COMBO`.
"""
