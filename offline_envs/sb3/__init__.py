"""Stable-Baselines3 inside a learned environment: vector environments, replay buffer, real evaluation."""

from offline_envs.agents import AGENTS, Agent
from offline_envs.evaluation import EvaluationResult, evaluate_in
from offline_envs.sb3.agent_options import check_values, constructor_options
from offline_envs.sb3.agents import agent_class, gradient_steps
from offline_envs.sb3.averaged_trpo import AveragedTRPO
from offline_envs.sb3.averaging import acting_policy, current_policy
from offline_envs.sb3.buffers.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.callbacks.actor_critic import SB3ActorCritic
from offline_envs.sb3.callbacks.adversarial_callback import AdversarialCallback
from offline_envs.sb3.callbacks.real_evaluation import (
    BEST_POLICY,
    LAST_POLICY,
    EvaluationRecord,
    RealEvalCallback,
    mean_return_of,
    save_policy,
)
from offline_envs.sb3.clone_losses import CLONE_LOSSES, check_clonable
from offline_envs.sb3.cloning import BehaviorCloner
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.fast_trpo import FastTRPO
from offline_envs.sb3.imitation import Imitator
from offline_envs.sb3.offline_sac.combo import COMBO
from offline_envs.sb3.offline_sac.mobile import MOBILE
from offline_envs.sb3.offline_sac.ravl import RAVL
from offline_envs.sb3.offline_sac.redq import REDQ
from offline_envs.sb3.rollouts.device_rollouts import with_device_rollouts
from offline_envs.sb3.rollouts.mixin import ChoosesRolloutActions
from offline_envs.sb3.rollouts.uniform_rollouts import with_uniform_rollouts
from offline_envs.sb3.schedule import RATIO_TOLERANCE, OffPolicySchedule, mopo_schedule
from offline_envs.sb3.standardized_obs import StandardizedObs, standardized_by
from offline_envs.sb3.vec_env.infos import VectorInfos
from offline_envs.sb3.vec_env.vec_env import SB3VecEnv

__all__ = [
    "AGENTS",
    "BEST_POLICY",
    "CLONE_LOSSES",
    "COMBO",
    "LAST_POLICY",
    "MOBILE",
    "RATIO_TOLERANCE",
    "RAVL",
    "REDQ",
    "AdversarialCallback",
    "Agent",
    "AveragedTRPO",
    "BehaviorCloner",
    "ChoosesRolloutActions",
    "EvaluationRecord",
    "EvaluationResult",
    "FastSAC",
    "FastTRPO",
    "Imitator",
    "MixedReplayBuffer",
    "OffPolicySchedule",
    "RealEvalCallback",
    "SB3ActorCritic",
    "SB3VecEnv",
    "StandardizedObs",
    "VectorInfos",
    "acting_policy",
    "agent_class",
    "check_clonable",
    "check_values",
    "constructor_options",
    "current_policy",
    "evaluate_in",
    "gradient_steps",
    "mean_return_of",
    "mopo_schedule",
    "save_policy",
    "standardized_by",
    "with_device_rollouts",
    "with_uniform_rollouts",
]
