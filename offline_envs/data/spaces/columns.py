"""Observations and actions of an environment as the columns of numbers that a model sees."""

from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor

from offline_envs.data.spaces.discrete import one_hot, one_hot_box


def n_columns(space: Space[Any]) -> int | None:
    """Number of columns of a value, None of a space that no model is learned for."""
    if isinstance(space, Box) and len(space.shape) == 1:
        return int(space.shape[0])
    return int(one_hot_box(space).shape[0]) if isinstance(space, Discrete | MultiDiscrete) else None


def to_columns(space: Space[Any], values: Any) -> Tensor:
    """A batch of values as columns, float32 `(n, k)`, on its device.

    Args:
        space: The space of one value.
        values: An array or tensor, `(n, *shape)`; it shares its memory with the result where it can.
    """
    tensor = torch.as_tensor(values)
    return one_hot(space, tensor) if isinstance(space, Discrete | MultiDiscrete) else tensor.to(torch.float32)
