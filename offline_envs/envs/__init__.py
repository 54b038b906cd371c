"""Learned environments: one batched model step, seen as a single and as a vector environment."""

from offline_envs.envs.assembly import Assembly, assemble, check_device, resolve_model, warn_of_other_data
from offline_envs.envs.autoreset import (
    MODES,
    SameStep,
    as_same_step,
    with_autoreset,
    without_reset_rows,
    zero_rows,
)
from offline_envs.envs.checker.checker import check_vector_env
from offline_envs.envs.entry_points import VECTOR_OPTIONS, method_class
from offline_envs.envs.learned_env import LearnedEnv, learned_spaces
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.envs.model_lookup import Halts, ReplacesRewards, declares, is_learned, layers, model_of
from offline_envs.envs.options import MODEL_OPTIONS, ModelOptions
from offline_envs.envs.rollouts import Rollout, check_imaginable, imagine, learned_under, rollout
from offline_envs.mdp import LearnedMDP, Step
from offline_envs.methods import Penalize
from offline_envs.policies import Policy

__all__ = [
    "MODEL_OPTIONS",
    "MODES",
    "VECTOR_OPTIONS",
    "Assembly",
    "Halts",
    "LearnedEnv",
    "LearnedMDP",
    "LearnedVectorEnv",
    "ModelOptions",
    "Penalize",
    "Policy",
    "ReplacesRewards",
    "Rollout",
    "SameStep",
    "Step",
    "as_same_step",
    "assemble",
    "check_device",
    "check_imaginable",
    "check_vector_env",
    "declares",
    "imagine",
    "is_learned",
    "layers",
    "learned_spaces",
    "learned_under",
    "method_class",
    "model_of",
    "resolve_model",
    "rollout",
    "warn_of_other_data",
    "with_autoreset",
    "without_reset_rows",
    "zero_rows",
]
