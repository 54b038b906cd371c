"""Options of an agent's constructor, checked before an agent is made: their names, types and ranges."""

import inspect
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.errors import SettingsError
from offline_envs.settings import checked

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "learning_rate": (0, math.inf),
        "gamma": (0, 1),
        "gae_lambda": (0, 1),
        "tau": (0, 1),
        "ent_coef": (0, math.inf),
        "batch_size": (1, math.inf),
        "buffer_size": (1, math.inf),
        "learning_starts": (0, math.inf),
        "target_update_interval": (1, math.inf),
        "policy_delay": (1, math.inf),
        "n_critic_updates": (1, math.inf),
        "target_kl": (0, math.inf),
    }
)
"""Least and largest value of options that Stable-Baselines3 takes as they come, and then cannot train by."""


def constructor_options(kind: type) -> dict[str, Any]:
    """Names and annotations of the keywords that a class's constructor takes.

    If it passes `**kwargs` on, the keywords of its base classes are included.
    """
    kinds: dict[str, Any] = {}
    for owner in kind.__mro__:
        if "__init__" not in vars(owner):
            continue
        _, *parameters = inspect.signature(vars(owner)["__init__"]).parameters.values()
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        kinds = {p.name: _annotation(p) for p in named} | kinds
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return kinds


def check_values(kind: type[BaseAlgorithm], options: Mapping[str, Any]) -> None:
    """Refuse values that an agent's constructor does not take, or by which it cannot train.

    Args:
        kind: Class of the agent.
        options: Keywords of its constructor.

    Raises:
        SettingsError: A value of the wrong type or out of range.
    """
    kinds = constructor_options(kind)
    for name, value in options.items():
        checked(name, kinds.get(name, Any), value)
        low, high = LIMITS.get(name, (-math.inf, math.inf))
        if isinstance(value, int | float) and not low <= value <= high:
            bound = f"at least {low}" if high == math.inf else f"between {low} and {high}"
            raise SettingsError(f"{name} must be {bound}, got {value}.")


def _annotation(parameter: inspect.Parameter) -> Any:
    if parameter.annotation is parameter.empty:
        return Any
    return parameter.annotation | None if parameter.default is None else parameter.annotation
