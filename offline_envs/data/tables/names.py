"""Names of the columns that a model sees, with their units: here only is said what column i is called."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Dict, Discrete

from offline_envs.data.spaces.discrete import DiscreteSpace
from offline_envs.data.transitions import Transitions

OBS_NAMES = "obs_names"
ACTION_NAMES = "action_names"
ACTION_CHOICES = "action_choices"
"""Entries of `Transitions.metadata`; the last is there if actions may be choices, taken for real numbers."""


def obs_names(transitions: Transitions) -> list[str]:
    """Name of every observation dimension, with its unit where that is known, e.g. `"speed [m/s]"`.

    Names are those of a table's columns, or of the parts of a Dict, `"place[0]"`. Those without a name, and
    the older ones of a history, are called by their number, `"obs[3]"`.
    """
    known = _known(transitions.metadata.get(OBS_NAMES))
    if not known and isinstance(transitions.obs_space, Dict):
        known = [n for name, box in transitions.obs_space.spaces.items() for n in _parts(name, box)]
    return _filled(known, "obs", transitions.obs_dim)


def action_names(transitions: Transitions) -> list[str]:
    """Name of every action dimension, with its unit where that is known, or its number, `"action[0]"`.

    The one-hot columns of a discrete action are called by their choice, `"action = 2"`.
    """
    known, space = _known(transitions.metadata.get(ACTION_NAMES)), transitions.discrete_actions
    if space is None:
        return _filled(known, "action", transitions.action_dim)
    return [*_choices(space, known)]


def output_names(transitions: Transitions) -> list[str]:
    """Names of what a model predicts, (reward, next_obs): 1 + d."""
    return ["reward", *obs_names(transitions)]


def _known(given: Any) -> list[str]:
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    return [str(name) for name in given] if is_list else []


def _filled(known: Sequence[str], role: str, size: int) -> list[str]:
    return [*known[:size], *(f"{role}[{i}]" for i in range(len(known), size))]


def _parts(name: str, box: Any) -> list[str]:
    """Names of the columns of a part of a Dict."""
    size = int(np.prod(box.shape))
    return [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]


def _choices(space: DiscreteSpace, known: Sequence[str]) -> Iterator[str]:
    if isinstance(space, Discrete):
        names, sizes, starts = list(known[:1]) or ["action"], [int(space.n)], [int(space.start)]
    else:
        names = _filled(known, "action", len(space.nvec))
        sizes, starts = space.nvec.tolist(), space.start.tolist()
    for name, size, start in zip(names, sizes, starts, strict=True):
        yield from (f"{name} = {choice}" for choice in range(start, start + size))
