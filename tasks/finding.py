"""Find tasks by name and settings."""

import importlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name
from offline_envs.registration import TASKS, split_task
from offline_envs.registry import Registry
from offline_envs.tasks.task import Setting, Task

T = TypeVar("T")


def find_task(task: str | Task) -> Task:
    """Make the task that a string names; a task is returned unchanged.

    Args:
        task: A name in `TASKS`, with or without settings after a colon, e.g. `"ant-angle"` or
            `"ant-angle:degrees=45,survive_bonus=1"`.

    Raises:
        SettingsError: An unknown name or setting, a duplicate setting, or a value that is neither a finite
            number nor a boolean; the message says what is valid.
        SettingsTypeError: Neither a string nor a task.
    """
    if isinstance(task, Task):
        return task
    if not isinstance(task, str):
        raise SettingsTypeError(f"A task is a Task or its name, e.g. {next(iter(TASKS))!r}; got {task!r}.")
    return make_task(*split_task(task))


def make_task(name: str, settings: Mapping[str, Any]) -> Task:
    """Make the task of that name.

    Args:
        name: A name in `TASKS`.
        settings: Settings that differ from their defaults.

    Raises:
        SettingsError: An unknown name or setting, or a value of a different type than the default's.
    """
    defaults = task_settings(name)
    for setting in settings:
        if setting not in defaults:
            raise unknown_name(f"setting of {name}", setting, defaults)
    checked = {setting: _checked(setting, value, defaults[setting]) for setting, value in settings.items()}
    return task_builder(name)(**checked)


def known_tasks() -> tuple[Task, ...]:
    """Every task in `TASKS`, with default settings."""
    return tuple(task_builder(name)() for name in TASKS)


class EnvTable(Registry[T]):
    """Facts about environments by exact id; those of a base environment also hold for its tasks.

    The tasks are made when they are looked up, so that importing this package makes none.

    Args:
        kind: What an entry is, for messages.
        entries: Environment id → its entry.
        adapted: Adapts the entry of a task's base environment to the task; None to use it unchanged.
    """

    def __init__(
        self, kind: str, entries: Mapping[str, T], adapted: Callable[[T, Task], T] | None = None
    ) -> None:
        super().__init__(kind, entries)
        self._adapted = adapted

    def __getitem__(self, name: str) -> T:
        if name in self._entries:
            return self._entries[name]
        for task_name, (env_id, _) in TASKS.items():
            if env_id == name:
                task = task_builder(task_name)()
                entry = self._entries[task.base_env_id]
                return entry if self._adapted is None else self._adapted(entry, task)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        yield from self._entries
        yield from (t.env_id for t in known_tasks() if t.env_id not in self._entries and t.env_id in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)  # `list` would call this method


def task_builder(name: str) -> Callable[..., Task]:
    """Import the function that makes the task of that name.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    if name not in TASKS:
        raise _unknown_task(name)
    module, function = TASKS[name][1].split(":")
    builder: Callable[..., Task] = getattr(importlib.import_module(module), function)
    return builder


def task_settings(name: str) -> dict[str, Setting]:
    """Return the settings of the task of that name with their defaults.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    parameters = inspect.signature(task_builder(name)).parameters
    return {setting: parameter.default for setting, parameter in parameters.items()}


def _unknown_task(name: str) -> SettingsError:
    unknown = unknown_name("task", name, TASKS)
    meant = [task for task, (env_id, _) in TASKS.items() if env_id == name]
    return SettingsError(f"{unknown} {name} is the environment of {meant[0]}.") if meant else unknown


def _checked(setting: str, value: Any, default: Setting) -> Setting:
    """Convert a value to the default's type; an int is accepted for a float, a boolean is not."""
    kind = type(default)
    is_truth = isinstance(value, bool | np.bool_)
    fits = is_truth if kind is bool else isinstance(value, Real) and not is_truth
    if not fits or not math.isfinite(value):
        valid = "True or False" if kind is bool else "a finite number"
        raise SettingsError(f"{setting} of a task must be {valid}, e.g. {default}, got {value!r}.")
    return kind(value)
