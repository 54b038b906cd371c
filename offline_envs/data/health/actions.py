"""Actions that do not go with their space: bounds too wide to scale to, indices taken for commands."""

import warnings

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.data.health.findings import listed
from offline_envs.data.tables.names import ACTION_CHOICES, action_names
from offline_envs.data.transitions import Transitions

TINY = 1e-3
"""Smaller actions count as this large: those of a machine at rest tell nothing about the space."""

AT_BOUND = 1e-3
"""Distance from a bound that counts as at it, as a share of the space's width."""

OFTEN = 0.5
"""Share of actions at a bound that is worth reporting."""

DISCRETE = (
    " Indices of discrete actions need their space, action_space=gymnasium.spaces.Discrete(n), or env_id=: "
    "else they are taken for real numbers."
)


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


def warn_of_odd_actions(transitions: Transitions) -> None:
    """Warn of what `unscalable_dimensions` and `look_like_indices` find, with the remedy."""
    source, actions, space = transitions.source, transitions.actions.numpy(), transitions.action_space
    names = action_names(transitions)
    wide = [names[i] for i in unscalable_dimensions(actions, space)]
    if wide:
        warnings.warn(
            f"{source}: dimensions {listed(wide)} of the action space {space} are unbounded, or so wide that "
            "the actions of the data are one point in it. Agents that scale their actions to the bounds "
            "cannot act there. Pass action_space= with the true bounds.",
            stacklevel=2,
        )
    if look_like_indices(actions, space):
        warnings.warn(
            f"{source}: every action is 0 or 1, although the action space is {space}.{DISCRETE} If they are "
            "commands, pass their bounds, action_space=Box(0, 1, shape).",
            stacklevel=2,
        )
    if n := transitions.metadata.get(ACTION_CHOICES):
        choices = f"Discrete({n[0]})" if len(n) == 1 else f"MultiDiscrete({n})"
        warnings.warn(
            f"{source}: {listed(names)} only holds whole numbers from 0 on, and they are taken for real "
            f"numbers. If they are choices, pass action_space=gymnasium.spaces.{choices}, or env_id=; if "
            "they are commands, give their bounds: columns={'action_low': ..., 'action_high': ...}.",
            stacklevel=2,
        )


def action_spread(transitions: Transitions) -> str:
    """Dimensions of the actions that never change, or lie mostly at a bound."""
    actions, space = transitions.actions.numpy(), transitions.action_space
    names = action_names(transitions)
    if transitions.discrete_actions is not None:
        never = np.flatnonzero(~actions.any(axis=0))
        return listed([f"{names[i]} is never chosen" for i in never])
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    margin = np.where(np.isfinite(high - low), AT_BOUND * (high - low), 0.0)
    at_bound = ((actions <= low + margin) | (actions >= high - margin)).mean(axis=0)
    constant = actions.min(axis=0) == actions.max(axis=0)
    found = [f"{names[i]} never changes" for i in np.flatnonzero(constant)]
    found += [
        f"{names[i]} is at a bound in {at_bound[i]:.0%} of the rows"
        for i in np.flatnonzero(~constant & (at_bound > OFTEN))
    ]
    return f"{listed(found)}: nothing tells what actions in between do" if found else ""


def action_bounds(transitions: Transitions) -> str:
    """Bounds that agents cannot scale to, and actions that look like indices."""
    actions, space = transitions.actions.numpy(), transitions.action_space
    names = action_names(transitions)
    wide = [names[i] for i in unscalable_dimensions(actions, space)]
    if wide:
        return f"{listed(wide)}: unbounded or far too wide, pass action_space="
    if look_like_indices(actions, space):
        return f"every action is 0 or 1.{DISCRETE}"
    return ""
