"""Consecutive rows: which row of a fit follows which, and how far a window of them reaches."""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.fitting.rows import split_index
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.errors import DatasetError


class Successors(NamedTuple):
    """Position of each row's successor in its own part of the split; the row's own where it has none.

    It has none at the end of its episode, and where the split put the next row into the other part.

    Attributes:
        train: Positions of the training rows' successors, int64 `(n_train,)`.
        holdout: Those of the holdout's, `(n_holdout,)`.
    """

    train: Tensor
    holdout: Tensor


def successors(transitions: Transitions, fit_settings: FitSettings) -> Successors:
    """Find the successor of every row of a fit, in the order of `split_rows`.

    Args:
        transitions: The dataset of the fit.
        fit_settings: Its split, and the number of steps of a window.

    Raises:
        DatasetError: No row has a successor.

    Warns:
        UserWarning: Windows are much shorter than `rollout_steps`.
    """
    n = len(transitions)
    ends = torch.zeros(n, dtype=torch.bool)
    ends[transitions.episode_starts[1:] - 1] = True
    ends[-1] = True
    parts = split_index(n, fit_settings)
    found = Successors(*(_positions(part, ends) for part in parts))
    _check(found.train, transitions.source, fit_settings)
    return found


def follow(following: Tensor, position: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Take one step along the windows.

    Args:
        following: Positions of the successors, `(n,)`.
        position: Rows that the windows are at, any shape.
        present: Whether they are still inside, bool of the same shape.

    Returns:
        The rows that follow, and whether the windows are still inside; a window that ended stays where it is.
    """
    after = following.index_select(0, position.reshape(-1)).view(position.shape)
    return after, present & (after != position)


def window_lengths(following: Tensor, n_steps: int) -> Tensor:
    """Number of rows of the window that begins at each row, at most `n_steps`, int64 `(n,)`."""
    position = torch.arange(len(following))
    present = torch.ones(len(following), dtype=torch.bool)
    lengths = torch.ones(len(following), dtype=torch.int64)
    for _ in range(n_steps - 1):
        position, present = follow(following, position, present)
        lengths += present
    return lengths


def _positions(part: Tensor, ends: Tensor) -> Tensor:
    """Successors within one part, given its rows in the dataset and the last rows of all episodes."""
    place = torch.full((len(ends) + 1,), -1, dtype=torch.int64)
    place[part] = torch.arange(len(part))
    after = place[part + 1]
    return torch.where(ends[part] | (after < 0), torch.arange(len(part)), after)


def _check(following: Tensor, source: str, fit_settings: FitSettings) -> None:
    n_steps = fit_settings.rollout_steps
    mean = window_lengths(following, n_steps).double().mean().item()
    if mean == 1:
        raise DatasetError(
            f"rollout_steps={n_steps} needs rows that follow one another, and {source} has none: every "
            "episode has one row. Give episodes in order, or rollout_steps=1."
        )
    if mean < n_steps / 2:
        warnings.warn(
            f"rollout_steps={n_steps}, but the average window has {mean:.1f} rows before its episode or the "
            f"training rows end. Choose rollout_steps={round(mean)}, or a smaller holdout.",
            stacklevel=6,  # past the check of the arguments of `fit`
        )
