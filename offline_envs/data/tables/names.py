"""Names and units of the dimensions of a dataset, kept in its metadata."""

from collections.abc import Sequence
from typing import Any

from offline_envs.data.transitions import Transitions

OBS_NAMES = "obs_names"
ACTION_NAMES = "action_names"
"""Entries of `Transitions.metadata`."""


def obs_names(transitions: Transitions) -> list[str]:
    """Name of every observation dimension, with its unit where that is known, e.g. `"speed [m/s]"`.

    Those without a name, and the older ones of a history, are called by their number, `"obs[3]"`.
    """
    return _names(transitions.metadata.get(OBS_NAMES), "obs", transitions.obs_dim)


def action_names(transitions: Transitions) -> list[str]:
    """Name of every action dimension, with its unit where that is known, or its number, `"action[0]"`."""
    return _names(transitions.metadata.get(ACTION_NAMES), "action", transitions.action_dim)


def _names(given: Any, role: str, size: int) -> list[str]:
    known: Sequence[Any] = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    numbered = [f"{role}[{i}]" for i in range(size)]
    return [str(name) for name in known[:size]] + numbered[len(known) :]
