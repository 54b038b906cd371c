"""Actions that do not go with their space: bounds too wide to scale to, indices taken for commands."""

import warnings

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

TINY = 1e-3
"""Actions below this count as this large: a machine at rest says nothing of the space."""

DISCRETE = " Indices of discrete actions are not supported: they would be taken for real numbers."


def unscalable_dimensions(actions: NDArray[np.float32], space: Box) -> list[int]:
    """Find dimensions whose bounds agents cannot scale their actions to.

    A dimension is such if it is unbounded, or if its actions all become the same float32 number when the
    space is scaled to [−1, 1], as SAC and its kin do.
    """
    resolution = (space.high.astype(np.float64) - space.low) * np.finfo(np.float32).eps
    if (resolution <= TINY).all():
        return []
    largest = np.maximum(np.abs(actions).max(axis=0), TINY)
    return [int(i) for i in np.flatnonzero(resolution > largest)]


def look_like_indices(actions: NDArray[np.float32], space: Box) -> bool:
    """Whether all actions are 0 or 1, and both occur, in a space that reaches below 0."""
    first = actions[:1000]  # tells at once in ordinary data
    if not ((first == 0) | (first == 1)).all() or not (space.low < 0).any():
        return False
    return bool(((actions == 0) | (actions == 1)).all() and actions.any() and not actions.all())


def warn_of_odd_actions(source: str, actions: NDArray[np.float32], space: Box) -> None:
    """Warn of what `unscalable_dimensions` and `look_like_indices` find, with the remedy."""
    wide = unscalable_dimensions(actions, space)
    if wide:
        warnings.warn(
            f"{source}: dimensions {wide} of the action space {space} are unbounded, or so wide that the "
            "actions of the data are one point in it. Agents that scale their actions to the bounds cannot "
            "act there. Pass action_space= with the bounds that hold in truth.",
            stacklevel=2,
        )
    if look_like_indices(actions, space):
        warnings.warn(
            f"{source}: every action is 0 or 1, although the action space is {space}.{DISCRETE} If they are "
            "commands, pass their bounds, action_space=Box(0, 1, shape).",
            stacklevel=2,
        )
