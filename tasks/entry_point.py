"""The entry point of tasks' real environments for `gym.make`."""

from typing import Any

from offline_envs.errors import SettingsTypeError, unknown_name
from offline_envs.tasks.base_class import base_class, reward_keywords, task_keywords
from offline_envs.tasks.finding import make_task, task_settings
from offline_envs.tasks.task import Task
from offline_envs.tasks.task_env import TaskEnv, real_env


def task_env(task: str, **keywords: Any) -> TaskEnv:
    """Make the real environment of a task, e.g. for `gym.make("AntAngle-v0", degrees=45, width=640)`.

    Args:
        task: A name in `offline_envs.registration.TASKS`; the id fills it in.
        **keywords: Settings of the task, and keywords of the base environment except those that weigh its
            reward, see `task_keywords`.

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


def _refuse_unknown(task: Task, name: str, own: tuple[str, ...]) -> None:
    base = base_class(task.base_env_id)
    valid = task_keywords(base)
    if name in valid:
        return
    if name in reward_keywords(base):
        raise SettingsTypeError(
            f"{task.env_id} has the reward of {task.name}, in which {name} of {task.base_env_id} does "
            f"nothing. Its own settings: {', '.join(own)}."
        )
    raise SettingsTypeError(str(unknown_name(f"setting of {task.env_id}", name, (*own, *valid))))
