"""Dict observations as the columns that a model sees and back, and the bounds of both kinds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.errors import DatasetError

ObsSpace = Box | Dict
"""One array of numbers, or several by name."""

MAX_AXES = 1
"""Axes of a part of a Dict: more belong to images."""


def checked_dict(source: str, space: Dict) -> Dict:
    """Return a Dict of which every part is a Box of real numbers with at most one axis, sorted by name.

    Columns are in this order in every dataset, whatever the order in which an environment declares the parts.

    Args:
        source: Where the space comes from, for the message.
        space: The space.

    Raises:
        DatasetError: A part is something else; the message names it.
    """
    for name, part in space.spaces.items():
        real = isinstance(part, Box) and np.issubdtype(part.dtype, np.floating)
        if not real or len(part.shape or ()) > MAX_AXES:
            raise DatasetError(
                f"{source}: parts of a Dict of observations must be Boxes of real numbers with one axis, but "
                f"{name!r} is {part}. Leave it out, e.g. by gymnasium.wrappers.FilterObservation, or "
                "flatten it."
            )
    if not space.spaces:
        raise DatasetError(f"{source}: a Dict of observations needs at least one part.")
    return space if [*space.spaces] == sorted(space.spaces) else Dict(dict(space.spaces))


def unbounded_dict(parts: Mapping[str, NDArray[Any]]) -> Dict:
    """The space of recorded parts, `(n, d)` or `(n,)` each, of which no bounds are known."""
    return Dict({name: Box(-np.inf, np.inf, values.shape[1:], np.float32) for name, values in parts.items()})


def flatten_obs(space: Dict, obs: Mapping[str, Any], rows: tuple[int, ...]) -> Any:
    """Observations as columns, in the order of `gymnasium.spaces.flatten`.

    Args:
        space: Their space.
        obs: Arrays or tensors, `(*rows, *shape)` each.
        rows: Shape of the batch.

    Returns:
        `(*rows, d)`, an array or a tensor.

    Raises:
        KeyError: A part is missing.
        ValueError: A part has another shape.
    """
    parts = [obs[name].reshape(*rows, int(np.prod(part.shape or ()))) for name, part in space.spaces.items()]
    return torch.cat(parts, dim=-1) if isinstance(parts[0], Tensor) else np.concatenate(parts, axis=-1)


def nested_obs(space: Dict, columns: Tensor) -> dict[str, Tensor]:
    """Columns `(..., d)` as the parts of a Dict, `(..., *shape)` each: views."""
    parts = torch.split(columns, [*part_sizes(space).values()], dim=-1)
    shapes = [(*columns.shape[:-1], *(part.shape or ())) for part in space.spaces.values()]
    return {name: part.reshape(s) for name, part, s in zip(space.spaces, parts, shapes, strict=True)}


def part_sizes(space: Dict) -> dict[str, int]:
    """Number of columns of each part, by name."""
    return {name: int(np.prod(part.shape or ())) for name, part in space.spaces.items()}


def obs_bounds(space: ObsSpace) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value of each column, float32 `(d,)`, infinite where there are no bounds."""
    boxes = [space] if isinstance(space, Box) else list(space.spaces.values())
    low, high = (
        np.concatenate([np.ravel(getattr(box, bound)) for box in boxes]) for bound in ("low", "high")
    )
    with np.errstate(over="ignore"):  # too large for float32 is no bound
        return low.astype(np.float32), high.astype(np.float32)


def flat_space(space: ObsSpace) -> Box:
    """The space of the columns, float32 `(d,)`, with the same bounds."""
    return Box(*obs_bounds(space), dtype=np.float32)


def with_bounds(space: ObsSpace, low: NDArray[Any], high: NDArray[Any]) -> ObsSpace:
    """The same space in float32 with other bounds of its columns, `(d,)` each."""
    low, high = low.astype(np.float32), high.astype(np.float32)
    if isinstance(space, Box):
        return Box(low, high, dtype=np.float32)
    lows, highs = (nested_obs(space, torch.from_numpy(bound)) for bound in (low, high))
    return Dict({n: Box(lows[n].numpy(), highs[n].numpy(), dtype=np.float32) for n in space.spaces})


def as_float32(space: ObsSpace) -> ObsSpace:
    """The same space with float32 values, as learned environments give them."""
    return with_bounds(space, *obs_bounds(space))


def known_dict(source: str, space: Space[Any] | None) -> Dict | None:
    """`checked_dict` of a Dict; None of any other space."""
    return checked_dict(source, space) if isinstance(space, Dict) else None
