"""Observations and actions of an environment as the columns of numbers that a model sees."""

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from torch import Tensor

from offline_envs.data.spaces.discrete import one_hot, one_hot_box
from offline_envs.data.spaces.observations import flatten_obs, obs_bounds


def n_columns(space: Space[Any]) -> int | None:
    """Number of columns of a value, None of a space that no model is learned for."""
    if isinstance(space, Box):
        return int(space.shape[0]) if len(space.shape) == 1 else None
    if isinstance(space, Dict):
        return len(obs_bounds(space)[0]) if all(isinstance(p, Box) for p in space.spaces.values()) else None
    return int(one_hot_box(space).shape[0]) if isinstance(space, Discrete | MultiDiscrete) else None


def to_columns(space: Space[Any], values: Any) -> Tensor:
    """A batch of values as columns, float32 `(n, k)`, on its device, those by name sorted as in datasets.

    Args:
        space: The space of one value.
        values: An array or tensor, `(n, *shape)`, or such by name for a Dict; it shares its memory with the
            result where it can.
    """
    if isinstance(space, Dict):
        assert isinstance(values, Mapping)
        n = len(next(iter(values.values())))
        by_name = Dict(dict(space.spaces))  # an environment may declare them in another order
        return torch.as_tensor(flatten_obs(by_name, values, (n,))).to(torch.float32)
    tensor = torch.as_tensor(values)
    return one_hot(space, tensor) if isinstance(space, Discrete | MultiDiscrete) else tensor.to(torch.float32)
