"""Observation and action spaces of one episode, and values in their types."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError


class BoxSpaces(NamedTuple):
    """The spaces of one episode."""

    observation_space: Box
    action_space: Box


def spaces_of(owner: Any) -> BoxSpaces:
    """The spaces of one episode of an environment, single or vector, or those of an agent.

    Raises:
        SettingsError: It has none, or other spaces than boxes.
    """
    names = BoxSpaces._fields
    found: list[Any] = [getattr(owner, f"single_{name}", getattr(owner, name, None)) for name in names]
    for name, space in zip(names, found, strict=True):
        if not isinstance(space, Box):
            raise SettingsError(
                f"Spaces can be matched only with those of an environment or agent whose {name} is a Box, "
                f"got {space} of {owner}."
            )
    return BoxSpaces(*found)


def check_match(own: BoxSpaces, other: BoxSpaces) -> None:
    """Refuse spaces between which an agent cannot move by a cast of numbers.

    Raises:
        SettingsError: Another shape, or actions with other bounds.
    """
    for name, ours, theirs in zip(BoxSpaces._fields, own, other, strict=True):
        if ours.shape != theirs.shape:
            raise SettingsError(f"The {name} must have the same shape in both, got {ours} and {theirs}.")
    for bound in ("low", "high"):
        ours, theirs = (getattr(spaces.action_space, bound).astype(np.float32) for spaces in (own, other))
        if not np.array_equal(ours, theirs):
            raise SettingsError(
                f"Actions must have the same bounds in both, got {bound} {ours.tolist()} and "
                f"{theirs.tolist()}. gymnasium.wrappers.RescaleAction changes those of an environment."
            )


def cast(values: Any, dtype: Any) -> Any:
    """Numbers, array or tensor, in another type."""
    if isinstance(values, Tensor):
        return values.to(torch.from_numpy(np.empty(0, dtype)).dtype)
    return np.asarray(values).astype(dtype, copy=False)
