"""MOPO: an agent in a model with a penalty on uncertainty (Yu et al. 2020)."""

from offline_envs.runs.algorithms.model_based import IN_MODEL, ModelBased
from offline_envs.runs.algorithms.on_policy import TRPO_FROM_CLONE

MOPO = ModelBased(
    "PenalizedModel-v0",
    uses=(*IN_MODEL, "penalty_coef", "penalty_scale"),
    env_settings=("penalty_coef", "penalty", "penalty_members", "penalty_scale"),
    agent_defaults={"trpo": TRPO_FROM_CLONE},
)
"""MOPO, with the run's own defaults, which are those of its release."""
