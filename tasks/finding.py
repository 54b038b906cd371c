"""`find_task`: from a name with settings to a task."""

import importlib
import inspect
import json
from collections.abc import Callable

from offline_envs.errors import SettingsError, unknown_name
from offline_envs.registration import TASKS
from offline_envs.tasks.task import Setting, Task


def find_task(task: str | Task) -> Task:
    """Make the task that a text names; a task is returned as it is.

    Args:
        task: A name in `TASKS`, alone or with settings after a colon, e.g. `"ant-angle"` or
            `"ant-angle:degrees=45,survive_bonus=1"`.

    Raises:
        SettingsError: An unknown name or setting, or a value that is no number and no truth value; the
            message lists what is valid.
    """
    if isinstance(task, Task):
        return task
    name, _, text = task.partition(":")
    return task_builder(name)(**_settings(name, text))


def task_builder(name: str) -> Callable[..., Task]:
    """Import the function that makes the task of that name.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    module, function = TASKS[name][1].split(":")
    builder: Callable[..., Task] = getattr(importlib.import_module(module), function)
    return builder


def task_settings(name: str) -> dict[str, Setting]:
    """Settings of the task of that name with their defaults."""
    parameters = inspect.signature(task_builder(name)).parameters
    return {setting: parameter.default for setting, parameter in parameters.items()}


def _settings(name: str, text: str) -> dict[str, Setting]:
    defaults = task_settings(name)
    settings: dict[str, Setting] = {}
    for part in filter(None, text.split(",")):
        setting, _, value = (piece.strip() for piece in part.partition("="))
        if setting not in defaults:
            raise unknown_name(f"setting of {name}", setting, defaults)
        settings[setting] = _value(setting, value, defaults[setting])
    return settings


def _value(setting: str, text: str, default: Setting) -> Setting:
    """Read a value of the default's type; `True` and `true` are the same."""
    kind = type(default)
    try:
        value = json.loads(text.lower())
    except json.JSONDecodeError:
        value = None
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, int | float):
        raise SettingsError(f"{setting} of a task must be a {kind.__name__}, e.g. {default}, got {text!r}.")
    return kind(value)
