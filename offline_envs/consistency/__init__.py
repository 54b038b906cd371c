"""Consistency of steps with the real dynamics: discriminators of a model's steps, and their reward."""

from offline_envs.consistency.calibration import HIGHEST, LOWEST, calibrated, reward_of_logits
from offline_envs.consistency.dynamics_reward import DynamicsReward
from offline_envs.consistency.losses import binary_cross_entropy
from offline_envs.consistency.network import Discriminators
from offline_envs.consistency.settings import DiscriminatorSettings
from offline_envs.consistency.store import (
    fitted_dynamics_reward,
    load_dynamics_reward,
    save_dynamics_reward,
)
from offline_envs.consistency.training import fit_dynamics_reward

__all__ = [
    "HIGHEST",
    "LOWEST",
    "DiscriminatorSettings",
    "Discriminators",
    "DynamicsReward",
    "binary_cross_entropy",
    "calibrated",
    "fit_dynamics_reward",
    "fitted_dynamics_reward",
    "load_dynamics_reward",
    "reward_of_logits",
    "save_dynamics_reward",
]
