"""`with_history`: a dataset whose observations hold the last k of them."""

import warnings
from dataclasses import replace

import torch
from torch import Tensor

from offline_envs.data.history.layout import HistoryLayout, action_at_rest, check_history
from offline_envs.data.spaces.discrete import check_continuous
from offline_envs.data.transitions import Transitions
from offline_envs.errors import SettingsError

MANY_REPEATS = 0.5
"""Share of rows near the start of their episode, whose history repeats, above which there is a warning."""


def with_history(transitions: Transitions, history: int) -> Transitions:
    """Let every observation of a dataset hold the last `history` ones and the actions between them.

    The columns are those of `HistoryLayout`. Histories never reach into another episode. Before its start
    they repeat its first observation and the action nearest to zero (see `action_at_rest`), as
    `HistoryObservation` does in an environment. No row is dropped: a policy acts from the first step on, so
    the model has to know these observations too, and returns stay those of the data. A Dict of observations
    is flattened first.

    Args:
        transitions: The dataset, `n` rows of d dimensions.
        history: Number of observations, k; 1 returns the dataset as it is.

    Returns:
        The same rows, `(n, k·d + (k − 1)·a)` with a dimensions of an action. Observations with the same
        history already are left as they are.

    Raises:
        SettingsError: No integer of at least 1, a dataset with another history, or with discrete actions.

    Warns:
        UserWarning: More than half of the rows are less than `history − 1` steps from their episode's start.
    """
    check_history(history)
    if history == 1 or history == transitions.history:
        return transitions
    check_continuous(transitions.discrete_actions, f"history={history}")
    if transitions.history > 1:
        raise SettingsError(
            f"history={history} is for data without a history, but {transitions.source} has one of "
            f"{transitions.history}. Give the data as they were recorded."
        )
    layout = HistoryLayout(history, transitions.obs_dim, transitions.action_dim)
    first = torch.repeat_interleave(transitions.episode_starts, transitions.episode_lengths)
    _warn_of_repeats(transitions, first, history)
    obs = torch.cat([transitions.obs, *_older(transitions, first, history)], dim=1)
    next_obs = torch.cat([transitions.next_obs, layout.moved(obs, transitions.actions)], dim=1)
    return replace(transitions.flattened, obs=obs, next_obs=next_obs, history=history)


def _older(transitions: Transitions, first: Tensor, history: int) -> list[Tensor]:
    """What lies behind each row's newest observation: action and observation one step ago, two, and so on.

    Args:
        transitions: The dataset, n rows.
        first: First row of the episode of each row, int64 `(n,)`.
        history: Number of observations, k.
    """
    rest = torch.from_numpy(action_at_rest(transitions.action_space))
    parts = []
    for lag in range(1, history):
        rows = torch.arange(len(transitions)) - lag
        inside = (rows >= first)[:, None]
        parts.append(torch.where(inside, transitions.actions[rows.clamp(min=0)], rest))
        parts.append(transitions.obs[torch.maximum(rows, first)])
    return parts


def _warn_of_repeats(transitions: Transitions, first: Tensor, history: int) -> None:
    repeated = float((torch.arange(len(transitions)) - first < history - 1).double().mean())
    if repeated > MANY_REPEATS:
        warnings.warn(
            f"{transitions.source}: with history={history}, {repeated:.0%} of the rows are so near the start "
            "of their episode that their history is repeated values. Choose a shorter history, or mark fewer "
            "ends of episodes.",
            stacklevel=3,
        )
