"""A transition as one row of numbers, so that a batch is read with one gather."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from torch import Tensor

from offline_envs.data import DiscreteSpace, Transitions, action_shape, from_one_hot, one_hot_box
from offline_envs.envs import Rollout
from offline_envs.errors import SettingsError


class RowLayout(NamedTuple):
    """Columns of a row: obs, action, next_obs, done, reward; done is 1 where the MDP ended, 0 elsewhere."""

    obs_dim: int
    action_dim: int

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """Number of columns of each part, in order."""
        return (self.obs_dim, self.action_dim, self.obs_dim, 1, 1)

    @property
    def width(self) -> int:
        """Number of columns, `2 * obs_dim + action_dim + 2`."""
        return sum(self.sizes)


ActionSpace = Box | DiscreteSpace
"""Actions that a row can hold."""


def check_actions(space: Space[Any]) -> ActionSpace:
    """Refuse an agent's action space of which rows cannot hold the actions.

    Raises:
        SettingsError: Neither a Box nor discrete, or discrete actions that are not counted from 0, as
            Stable-Baselines3 does.
    """
    if isinstance(space, Discrete | MultiDiscrete):
        if np.any(space.start):
            raise SettingsError(f"Stable-Baselines3 counts discrete actions from 0, got {space}.")
        return space
    return check_box("action", space)


def action_size(space: ActionSpace) -> int:
    """Number of entries of one stored action: one for each choice of a discrete one."""
    return flat_size(space) if isinstance(space, Box) else int(np.prod(action_shape(space)))


def stored_actions(columns: Tensor, space: ActionSpace) -> Tensor:
    """Actions as SB3's replay buffers store them: in [-1, 1], or the numbers of the choices.

    Args:
        columns: Actions as a model sees them, `(..., k)`.
        space: The agent's action space.

    Returns:
        Float32 `(..., action_size(space))`.
    """
    if isinstance(space, Box):
        return scale_action(columns, space)
    return from_one_hot(space, columns).reshape(*columns.shape[:-1], -1).to(torch.float32)


def model_columns(space: ActionSpace) -> int:
    """Number of columns of an action as a model sees it."""
    return flat_size(space if isinstance(space, Box) else one_hot_box(space))


def scale_action(action: Tensor, action_space: Box) -> Tensor:
    """Rescale actions from the space's bounds to [-1, 1], as SB3's `policy.scale_action` does.

    Args:
        action: In the environment's units, `(n, k)`.
        action_space: Bounded space with `k` dimensions.
    """
    low, high = action_bounds(action_space, action.device)
    return 2.0 * ((action - low) / (high - low)) - 1.0


def unscale_action(scaled: Tensor, action_space: Box) -> Tensor:
    """The inverse of `scale_action`, as SB3's `policy.unscale_action`."""
    return between(scaled, *action_bounds(action_space, scaled.device))


def between(scaled: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Move actions from [-1, 1] to [low, high]."""
    return low + 0.5 * (scaled + 1.0) * (high - low)


def action_bounds(action_space: Box, device: torch.device) -> tuple[Tensor, Tensor]:
    """Lowest and highest actions, float32 `(k,)` each; the copy to a GPU synchronises."""
    return torch.as_tensor(action_space.low, device=device), torch.as_tensor(action_space.high, device=device)


def check_same_actions(transitions: Transitions, action_space: ActionSpace) -> None:
    """Refuse a dataset of other choices than the agent's.

    Raises:
        SettingsError: One has discrete actions that the other has not.
    """
    discrete = None if isinstance(action_space, Box) else action_space
    if transitions.discrete_actions != discrete:
        raise SettingsError(
            f"The dataset must have the actions of the agent's environment, {action_space}; those of "
            f"{transitions.source} are {transitions.discrete_actions or transitions.action_space}."
        )


def write_transitions(
    rows: Tensor, transitions: Transitions, layout: RowLayout, action_space: ActionSpace
) -> None:
    """Pack a dataset into `rows`, float32 `(n, width)` on any device; a truncated step is not done.

    Raises:
        SettingsError: The dataset's dimensions are not those of the agent's environment.
    """
    wanted = (layout.obs_dim, model_columns(action_space))
    if (transitions.obs_dim, transitions.action_dim) != wanted:
        raise SettingsError(
            f"The dataset must have the dimensions of the agent's environment, obs {wanted[0]} and "
            f"action {wanted[1]}; {transitions.source} has obs {transitions.obs_dim} and action "
            f"{transitions.action_dim}."
        )
    check_same_actions(transitions, action_space)
    parts = (
        transitions.obs,
        stored_actions(transitions.actions, action_space),
        transitions.next_obs,
        transitions.terminated[:, None],
        transitions.rewards[:, None],
    )
    for place, part in zip(torch.split(rows, list(layout.sizes), dim=1), parts, strict=True):
        place.copy_(part)


def rows_of_rollout(
    rollout: Rollout, layout: RowLayout, action_space: ActionSpace, *, timeouts_are_done: bool = False
) -> Tensor:
    """Pack a rollout of `h` steps of `n` rows, float32 `(h * n, width)`, on its device, step by step.

    Args:
        rollout: Its actions are stored as `stored_actions` gives them.
        layout: Dimensions of the rows.
        action_space: The agent's actions, a bounded Box or discrete.
        timeouts_are_done: Whether a step that is only truncated is done.

    Raises:
        SettingsError: The rollout has other dimensions.
    """
    dims = (rollout.obs.shape[-1], rollout.action.shape[-1])
    wanted = (layout.obs_dim, model_columns(action_space))
    if dims != wanted:
        raise SettingsError(
            "The rollout must have the dimensions of the agent's environment, obs "
            f"{wanted[0]} and action {wanted[1]}, got obs {dims[0]} and action {dims[1]}."
        )
    done = rollout.terminated | rollout.truncated if timeouts_are_done else rollout.terminated
    parts = (
        rollout.obs,
        stored_actions(rollout.action, action_space),
        rollout.next_obs,
        done[..., None].float(),
        rollout.reward[..., None],
    )
    return torch.cat(parts, dim=-1).flatten(0, 1)


def check_box(name: str, space: object) -> Box:
    """Refuse a space that is not a Box.

    Raises:
        SettingsError: Another kind of space.
    """
    if not isinstance(space, Box):
        raise SettingsError(f"A dataset of transitions needs a Box {name} space, got {space}.")
    return space


def flat_size(space: Box) -> int:
    """Number of entries of one sample of a Box."""
    return int(np.prod(space.shape))
