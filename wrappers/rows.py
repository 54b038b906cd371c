"""Rows of observations and actions as the tensors that a model sees."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from torch import Tensor

from offline_envs.data import to_columns


def one_row(values: Any, space: gym.Space[Any]) -> Tensor:
    """A batch of one, copied: the environment may write to its array again, and so may the caller."""
    if isinstance(values, Mapping):
        return many_rows({name: np.asarray(part)[None] for name, part in values.items()}, space)
    return many_rows(np.asarray(values)[None], space)


def many_rows(values: Any, space: gym.Space[Any]) -> Tensor:
    """A float32 copy: the environment may write to its array again, and so may the caller."""
    if isinstance(values, Mapping):  # which are joined into fresh columns
        return to_columns(space, values)
    if isinstance(values, Tensor):
        return to_columns(space, values.detach().clone())
    return to_columns(space, np.array(values))


def like(values: Tensor, sample: Any) -> Any:
    """`values` as the kind of array that `sample` is, on its device."""
    return values.to(sample.device) if isinstance(sample, Tensor) else values.cpu().numpy()


def on_host(values: Any) -> Any:
    """`values`, array or tensor, as a NumPy array."""
    return values.cpu().numpy() if isinstance(values, Tensor) else values


def host_rows(values: Any) -> list[Any]:
    """Copies of the rows of a batch, as NumPy arrays, or as such by name if the batch has parts by name."""
    if not isinstance(values, Mapping):
        return list(np.array(on_host(values)))
    parts = [host_rows(part) for part in values.values()]
    return [dict(zip(values, row, strict=True)) for row in zip(*parts, strict=True)]
