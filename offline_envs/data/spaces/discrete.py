"""Discrete actions as the one-hot numbers that a model sees, and back."""

from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor

from offline_envs.errors import DatasetError, SettingsError

DiscreteSpace = Discrete | MultiDiscrete
"""A choice among n actions, or m such choices at once."""


def action_shape(space: DiscreteSpace) -> tuple[int, ...]:
    """Shape of one action: `()` of a `Discrete`, `(m,)` of a `MultiDiscrete`."""
    return () if isinstance(space, Discrete) else space.nvec.shape


def one_hot_box(space: DiscreteSpace) -> Box:
    """The space of the one-hot numbers: [0, 1] for each choice, those of m choices one after another."""
    return Box(0.0, 1.0, (sum(_sizes(space)),), np.float32)


def one_hot(space: DiscreteSpace, actions: Tensor) -> Tensor:
    """Encode actions: 1 in the column of the choice, 0 in the others.

    Args:
        space: Their space.
        actions: Integers, `(...,)` of a `Discrete`, `(..., m)` of a `MultiDiscrete`, counted from the space's
            start. One outside the space becomes zeros; nothing waits for a device to tell.

    Returns:
        Float32 `(..., k)`, on the same device; k is n, or the sum of the m numbers of choices.
    """
    columns = actions[..., None] if isinstance(space, Discrete) else actions
    parts = [
        columns[..., part, None] == torch.arange(start, start + size, device=actions.device)
        for part, (start, size) in enumerate(zip(_starts(space), _sizes(space), strict=True))
    ]
    return torch.cat(parts, dim=-1).to(torch.float32)


def from_one_hot(space: DiscreteSpace, columns: Tensor) -> Tensor:
    """Decode actions: of each choice, the one with the largest number.

    Args:
        space: Their space.
        columns: `(..., k)`, as `one_hot` gives them.

    Returns:
        Integers, int64 `(...,)` of a `Discrete`, `(..., m)` of a `MultiDiscrete`, on the same device.
    """
    parts = torch.split(columns, list(_sizes(space)), dim=-1)
    chosen = [part.argmax(dim=-1) + start for part, start in zip(parts, _starts(space), strict=True)]
    return chosen[0] if isinstance(space, Discrete) else torch.stack(chosen, dim=-1)


def are_in(space: DiscreteSpace, actions: Tensor) -> Tensor:
    """Whether actions lie in the space, bool `(...,)`: reads no value on the host."""
    return one_hot(space, actions).sum(dim=-1) == len(_sizes(space))


def encoded_actions(source: str, space: DiscreteSpace, columns: Tensor) -> Tensor:
    """Recorded actions as one-hot numbers.

    Args:
        source: Where they come from, for the message.
        space: Their space.
        columns: Whole numbers, `(n, 1)` or `(n,)` of a `Discrete`, `(n, m)` of a `MultiDiscrete`.

    Raises:
        DatasetError: Another number of columns, or numbers that are not in the space.
    """
    shape = (len(columns), *action_shape(space))
    if columns.numel() != int(np.prod(shape)):
        raise DatasetError(
            f"{source}: actions of {space} must have shape {shape}, received {tuple(columns.shape)}."
        )
    actions = columns.reshape(shape)
    outside = ~are_in(space, actions)
    if outside.any():
        row = int(outside.nonzero()[0])
        raise DatasetError(
            f"{source}: {int(outside.sum())} of {len(actions)} actions are not in {space}, the first in row "
            f"{row}: {actions[row].tolist()}. Pass the action space of the data by env_id= or action_space=."
        )
    return one_hot(space, actions)


def discrete_space(source: str, space: Space[Any] | None) -> DiscreteSpace | None:
    """The space itself if it is discrete, None if it is another one.

    Raises:
        DatasetError: It is a `MultiDiscrete` of more than one axis, or leaves no choice.
    """
    if not isinstance(space, Discrete | MultiDiscrete):
        return None
    if len(action_shape(space)) > 1 or sum(_sizes(space)) <= len(_sizes(space)):
        raise DatasetError(
            f"{source}: discrete actions must be a Discrete, or a MultiDiscrete with one axis, and leave a "
            f"choice; received {space}."
        )
    return space


def check_continuous(space: DiscreteSpace | None, needed_by: str) -> None:
    """Refuse discrete actions where only continuous ones can be used.

    Args:
        space: The discrete action space, or None if actions are continuous.
        needed_by: What needs continuous ones, the beginning of the message.

    Raises:
        SettingsError: They are discrete.
    """
    if space is not None:
        raise SettingsError(f"{needed_by} needs continuous actions, a Box; those of the data are {space}.")


def _sizes(space: DiscreteSpace) -> tuple[int, ...]:
    return (int(space.n),) if isinstance(space, Discrete) else tuple(space.nvec.reshape(-1).tolist())


def _starts(space: DiscreteSpace) -> tuple[int, ...]:
    return (int(space.start),) if isinstance(space, Discrete) else tuple(space.start.reshape(-1).tolist())
