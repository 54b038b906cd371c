"""`d3rlpy_arrays`: a dataset as the arrays of d3rlpy's `MDPDataset`."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data.spaces.discrete import DiscreteSpace, check_continuous


class Steps(Protocol):
    """What `Transitions` have, which give themselves this form and so cannot be named here."""

    @property
    def obs(self) -> Tensor:
        """Observations `(n, d)`."""
        ...

    @property
    def actions(self) -> Tensor:
        """Actions `(n, k)`."""
        ...

    @property
    def rewards(self) -> Tensor:
        """Rewards `(n,)`."""
        ...

    @property
    def next_obs(self) -> Tensor:
        """Successors `(n, d)`."""
        ...

    @property
    def terminated(self) -> Tensor:
        """Ends of the MDP `(n,)`."""
        ...

    @property
    def episode_starts(self) -> Tensor:
        """First row of every episode `(e,)`."""
        ...

    @property
    def episode_lengths(self) -> Tensor:
        """Number of steps of every episode `(e,)`."""
        ...

    @property
    def discrete_actions(self) -> DiscreteSpace | None:
        """Space of discrete actions, None for continuous ones."""
        ...

    def __len__(self) -> int: ...


def d3rlpy_arrays(transitions: Steps, *, for_next_actions: bool = False) -> dict[str, NDArray[np.float32]]:
    """Give a dataset the form of d3rlpy, without needing d3rlpy: `MDPDataset(**arrays)`.

    d3rlpy has no successor observations: the successor of a row is the next row of its episode. It leaves the
    last row of an episode that did not terminate out of its batches, since nothing follows it. So each such
    episode gets one more row: its last successor, with a reward of 0 and the action before once more. That
    row is never drawn, and d3rlpy trains on exactly the transitions of the dataset. After a termination it
    uses no successor, so no row is added there.

    Args:
        transitions: The dataset, n rows.
        for_next_actions: Whether the algorithm learns from the action that the data take next (ReBRAC). That
            of the last step before a truncation is unknown: no rows are added, and d3rlpy leaves the last
            step of each truncated episode out.

    Returns:
        `observations` `(m, d)`, `actions` `(m, k)`, `rewards` `(m,)`, `terminals` `(m,)` and `timeouts`
        `(m,)`, float32 each; m is n and the number of rows that were added.

    Raises:
        SettingsError: The actions are discrete.
    """
    check_continuous(transitions.discrete_actions, "The form of d3rlpy")
    last = transitions.episode_starts + transitions.episode_lengths - 1
    cut = torch.zeros(len(transitions), dtype=torch.bool)
    cut[last] = ~transitions.terminated[last]
    order, added = _with_room_after(cut & (not for_next_actions))
    obs, rewards = transitions.obs[order], transitions.rewards[order]
    obs[added] = transitions.next_obs[order[added]]
    rewards[added] = 0.0
    timeouts = cut[order] if for_next_actions else added
    arrays = {
        "observations": obs,
        "actions": transitions.actions[order],
        "rewards": rewards,
        "terminals": transitions.terminated[order].float(),
        "timeouts": timeouts.float(),
    }
    return {name: tensor.numpy() for name, tensor in arrays.items()}


def _with_room_after(marked: Tensor) -> tuple[Tensor, Tensor]:
    """Rows in order, those in `marked` twice, int64 `(m,)`, and which of them are the second, bool `(m,)`."""
    order = torch.repeat_interleave(torch.arange(len(marked)), marked.long() + 1)
    second = torch.zeros(len(order), dtype=torch.bool)
    second[1:] = order[1:] == order[:-1]
    return order, second
