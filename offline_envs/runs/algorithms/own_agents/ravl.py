"""RAVL: an agent with many, diverse critics in a model without pessimism (Sims et al. 2024)."""

from offline_envs.runs.algorithms.own_agents.own_agent import WithOwnAgent

RAVL_TRAINING = WithOwnAgent(
    "LearnedModel-v0",
    own_agent="ravl",
    defaults={"agent": "ravl", "agent_options": {"policy_kwargs": {"net_arch": [256, 256, 256]}}},
)
"""RAVL, with the networks of its release."""
