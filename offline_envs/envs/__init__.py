"""Learned environments: one batched model step, seen as a single and as a vector environment."""

from offline_envs.envs.adversarial_env import AdversarialEnv, AdversarialVectorEnv
from offline_envs.envs.assembly import ModelOptions, PenaltyOptions
from offline_envs.envs.checker.checker import check_vector_env
from offline_envs.envs.learned_env import LearnedEnv
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.envs.rollouts import Policy, Rollout, imagine, rollout
from offline_envs.mdp.mdp import LearnedMDP
from offline_envs.mdp.pessimism import Halt, Penalize, Pessimism
from offline_envs.mdp.step import Step
from offline_envs.methods.halt import HaltSettings

__all__ = [
    "AdversarialEnv",
    "AdversarialVectorEnv",
    "Halt",
    "HaltSettings",
    "LearnedEnv",
    "LearnedMDP",
    "LearnedVectorEnv",
    "ModelOptions",
    "Penalize",
    "PenaltyOptions",
    "Pessimism",
    "Policy",
    "Rollout",
    "Step",
    "check_vector_env",
    "imagine",
    "rollout",
]
