"""Learning rates of SAC's actor, critics and temperature apart from each other."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.utils import FloatSchedule

from offline_envs.errors import SettingsError, unknown_name


def constant(left: float) -> float:
    """1 throughout.

    Args:
        left: Share of the training that is left, from 1 to 0.
    """
    del left  # unused
    return 1.0


def cosine(left: float) -> float:
    """Half a period of the cosine, from 1 to 0.

    Args:
        left: Share of the training that is left, from 1 to 0.
    """
    return 0.5 * (1 - math.cos(math.pi * max(left, 0.0)))  # SB3 may collect more than it was asked for


ACTOR_SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {"constant": constant, "cosine": cosine}
)
"""Factors of the actor's learning rate by name, as functions of the share of the training that is left."""


def rate_at(rate: float | Schedule, left: float) -> float:
    """Value of a learning rate, which is a number or a function of the share of the training that is left."""
    return FloatSchedule(rate)(left)


def check_schedule(name: str) -> None:
    """Refuse a name that is not in `ACTOR_SCHEDULES`.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    if name not in ACTOR_SCHEDULES:
        raise unknown_name("actor_schedule", name, ACTOR_SCHEDULES)


def check_not_negative(**settings: float | Schedule | None) -> None:
    """Refuse a negative number; functions and None pass.

    Raises:
        SettingsError: A negative number.
    """
    for name, value in settings.items():
        if isinstance(value, int | float) and value < 0:
            raise SettingsError(f"{name} must be at least 0, got {value}.")
