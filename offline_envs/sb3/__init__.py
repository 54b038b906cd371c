"""Stable-Baselines3 inside a learned environment: vector environments, replay buffer, real evaluation."""

from offline_envs.sb3.adversarial_callback import AdversarialCallback
from offline_envs.sb3.agents import AGENTS, agent_class
from offline_envs.sb3.callback import EvaluationRecord, RealEvalCallback, save_policy
from offline_envs.sb3.cloning import BehaviorCloner
from offline_envs.sb3.critic_view import CriticView
from offline_envs.sb3.device_rollouts import with_device_rollouts
from offline_envs.sb3.evaluation import EvaluationResult, evaluate_in
from offline_envs.sb3.fast_sac import FastSAC
from offline_envs.sb3.infos import VectorInfos
from offline_envs.sb3.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.schedule import OffPolicySchedule, mopo_schedule
from offline_envs.sb3.uniform_rollouts import with_uniform_rollouts
from offline_envs.sb3.vec_env import SB3VecEnv

__all__ = [
    "AGENTS",
    "AdversarialCallback",
    "BehaviorCloner",
    "CriticView",
    "EvaluationRecord",
    "EvaluationResult",
    "FastSAC",
    "MixedReplayBuffer",
    "OffPolicySchedule",
    "RealEvalCallback",
    "SB3VecEnv",
    "VectorInfos",
    "agent_class",
    "evaluate_in",
    "mopo_schedule",
    "save_policy",
    "with_device_rollouts",
    "with_uniform_rollouts",
]
