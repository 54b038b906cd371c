"""The class of a task's base environment, and what its keywords do."""

import inspect
from typing import Any

import gymnasium as gym
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.envs.registration import load_env_creator

from offline_envs.errors import SettingsError

FIXED = ("self", "model_path", "observation_space")
"""Parameters of MuJoCo environments that their classes fill in themselves."""


def base_class(base_env_id: str) -> type[MujocoEnv]:
    """Return the class of a task's base environment.

    Raises:
        SettingsError: It is not one of Gymnasium's MuJoCo environments.
    """
    entry_point = gym.spec(base_env_id).entry_point
    found: Any = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    if not (isinstance(found, type) and issubclass(found, MujocoEnv)):
        raise SettingsError(
            "The base of a task must be a MuJoCo environment of Gymnasium, e.g. HalfCheetah-v5, got "
            f"{base_env_id} of {entry_point}."
        )
    return found


def task_keywords(base: type[MujocoEnv]) -> set[str]:
    """Keywords of an environment's physics, termination, observation and rendering, not of its reward."""
    named = _parameters(base) | _parameters(MujocoEnv)
    return {name for name in named if name not in FIXED and not _weighs_reward(name)}


def reward_keywords(base: type[MujocoEnv]) -> set[str]:
    """Keywords that weigh an environment's reward."""
    return {name for name in _parameters(base) if _weighs_reward(name)}


def physics_keywords(base: type[MujocoEnv]) -> set[str]:
    """Keywords of physics and termination: environments whose data are alike must agree in these."""
    looks = _parameters(MujocoEnv) - {"frame_skip"}
    return {name for name in task_keywords(base) - looks if not _shapes_observation(name)}


def _weighs_reward(name: str) -> bool:
    """Whether a keyword is like `forward_reward_weight`, `healthy_reward`, `ctrl_cost_weight`."""
    return "reward" in name or "cost" in name


def _shapes_observation(name: str) -> bool:
    """Whether a keyword is like `include_cfrc_ext_in_observation` or `contact_force_range`."""
    return "observation" in name or "contact_force" in name


def _parameters(owner: type[MujocoEnv]) -> set[str]:
    parameters = inspect.signature(owner.__init__).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
