"""`make_real_env`: make the environment of a dataset, or say in one line why it cannot be made."""

import warnings
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from offline_envs.errors import DatasetError

STATEFUL_WRAPPERS = frozenset({"NormalizeObservation", "NormalizeReward"})
"""Wrappers whose statistics grow over all episodes, and which no specification holds."""


def make_real_env(spec: EnvSpec, source: str, **kwargs: Any) -> gym.Env[Any, Any]:
    """Make the environment that data come from.

    Args:
        spec: A specification that is trusted.
        source: Where the data come from, for messages.
        kwargs: Further keywords of `gymnasium.make`.

    Raises:
        DatasetError: It cannot be made, e.g. because a package is missing.

    Warns:
        UserWarning: A wrapper has statistics that the data were recorded with and do not hold.
    """
    _warn_of_state(spec, source)
    try:
        return gym.make(spec, **kwargs)
    except Exception as error:  # a third-party constructor may raise anything
        raise DatasetError(
            f"{source}: its environment {spec.id} cannot be made: {type(error).__name__}: "
            f"{str(error).strip().removesuffix('.')}. Name one that can by env_id= (--env-id)."
        ) from error


def _warn_of_state(spec: EnvSpec, source: str) -> None:
    names = [wrapper.name for wrapper in spec.additional_wrappers if wrapper.name in STATEFUL_WRAPPERS]
    if names:
        warnings.warn(
            f"{source} was recorded through {', '.join(names)}, whose running statistics it does not hold. "
            "The environment starts with fresh ones: its numbers are scaled unlike the data's, and "
            "scores drift. Collect without this wrapper and normalise in the agent.",
            stacklevel=4,
        )
