"""What `gym.make` calls for the id of a task's real environment."""

import inspect
from collections.abc import Callable
from typing import Any

from gymnasium.envs.mujoco.mujoco_env import MujocoEnv

from offline_envs.errors import SettingsTypeError, unknown_name
from offline_envs.tasks.finding import make_task, task_settings
from offline_envs.tasks.task import Task
from offline_envs.tasks.task_env import TaskEnv, base_class, real_env

FIXED = ("self", "model_path", "observation_space")
"""Parameters of MuJoCo environments that their classes fill in themselves."""


def task_env(task: str, **keywords: Any) -> TaskEnv:
    """Make the real environment of a task, e.g. for `gym.make("AntAngle-v0", degrees=45, width=640)`.

    Args:
        task: A name in `offline_envs.registration.TASKS`; the id fills it in.
        **keywords: Settings of the task, and keywords of the base environment but for those that weigh its
            reward, see `physics_keywords`.

    Raises:
        SettingsError: A setting of the task that is not valid, or see `real_env`.
        SettingsTypeError: A keyword that does not exist, or one that weighs the base environment's reward;
            the message lists the valid ones.
    """
    own = task_settings(task)
    made = make_task(task, {name: value for name, value in keywords.items() if name in own})
    physics = {name: value for name, value in keywords.items() if name not in own}
    for name in physics:
        _refuse_unknown(made, name, tuple(own))
    return real_env(made, **physics)


# Here `gym.make` looks up which render modes the environment has without a wrapper.
task_env.metadata = TaskEnv.metadata  # type: ignore[attr-defined]


def physics_keywords(base: type[MujocoEnv]) -> set[str]:
    """Keywords of a MuJoCo environment that say how it moves, ends or looks, not what it pays."""
    named = _parameters(base.__init__) | _parameters(MujocoEnv.__init__)
    return {name for name in named if name not in FIXED and not _weighs_reward(name)}


def _refuse_unknown(task: Task, name: str, own: tuple[str, ...]) -> None:
    base = base_class(task.base_env_id)
    physics = physics_keywords(base)
    if name in physics:
        return
    if name in _parameters(base.__init__) and _weighs_reward(name):
        raise SettingsTypeError(
            f"{task.env_id} pays the reward of {task.name}, in which {name} of {task.base_env_id} does "
            f"nothing. Its own settings: {', '.join(own)}."
        )
    raise SettingsTypeError(str(unknown_name(f"setting of {task.env_id}", name, (*own, *physics))))


def _weighs_reward(name: str) -> bool:
    """Whether a keyword is of the kind of `forward_reward_weight`, `healthy_reward`, `ctrl_cost_weight`."""
    return "reward" in name or "cost" in name


def _parameters(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
