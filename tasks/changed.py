"""Which settings of a task differ from their defaults."""

import inspect
from collections.abc import Callable, Mapping

from offline_envs.tasks.task import Setting


def changed_settings(build: Callable[..., object], settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings that differ from the defaults in the signature of `build`."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(build).parameters.items()}
    return {name: value for name, value in settings.items() if value != defaults[name]}
