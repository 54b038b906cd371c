"""A transition as one row of numbers, so that a batch is read with one gather."""

from typing import NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import Transitions
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


def write_transitions(rows: Tensor, transitions: Transitions, layout: RowLayout, action_space: Box) -> None:
    """Pack a dataset into `rows`, float32 `(n, width)` on any device; a truncated step is not done.

    Raises:
        SettingsError: The dataset's dimensions are not those of the agent's environment.
    """
    if (transitions.obs_dim, transitions.action_dim) != layout:
        raise SettingsError(
            f"The dataset must have the dimensions of the agent's environment, obs {layout.obs_dim} and "
            f"action {layout.action_dim}; {transitions.source} has obs {transitions.obs_dim} and action "
            f"{transitions.action_dim}."
        )
    parts = (
        transitions.obs,
        scale_action(transitions.actions, action_space),
        transitions.next_obs,
        transitions.terminated[:, None],
        transitions.rewards[:, None],
    )
    for place, part in zip(torch.split(rows, list(layout.sizes), dim=1), parts, strict=True):
        place.copy_(part)


def rows_of_rollout(
    rollout: Rollout, layout: RowLayout, action_space: Box, *, timeouts_are_done: bool = False
) -> Tensor:
    """Pack a rollout of `h` steps of `n` rows, float32 `(h * n, width)`, on its device, step by step.

    Args:
        rollout: Its actions are rescaled from the bounds of `action_space` to [-1, 1].
        layout: Dimensions of the rows.
        action_space: Bounded space of the actions.
        timeouts_are_done: Whether a step that is only truncated is done.

    Raises:
        SettingsError: The rollout has other dimensions.
    """
    dims = (rollout.obs.shape[-1], rollout.action.shape[-1])
    if dims != layout:
        raise SettingsError(
            "The rollout must have the dimensions of the agent's environment, obs "
            f"{layout.obs_dim} and action {layout.action_dim}, got obs {dims[0]} and action {dims[1]}."
        )
    done = rollout.terminated | rollout.truncated if timeouts_are_done else rollout.terminated
    parts = (
        rollout.obs,
        scale_action(rollout.action, action_space),
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
