"""MBPO: an agent in a model without pessimism (Janner et al. 2019); the model is fitted once."""

from offline_envs.runs.algorithms.model_based import ModelBased
from offline_envs.runs.algorithms.on_policy import TRPO_FROM_CLONE

MBPO = ModelBased("LearnedModel-v0", agent_defaults={"trpo": TRPO_FROM_CLONE})
"""Offline MBPO."""
