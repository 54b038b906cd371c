"""`HistoryLayout`: where an observation with a history holds what."""

from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.errors import SettingsError


@dataclass(frozen=True)
class HistoryLayout:
    """The columns of (o_t, a_{t−1}, o_{t−1}, …, a_{t−k+1}, o_{t−k+1}), k observations and actions between.

    The newest observation comes first, so that its columns keep the numbers that they have without a history.
    After a step, action and observation move to the right together, and the oldest pair is dropped.

    Attributes:
        history: Number of observations, k, at least 2.
        obs_dim: Dimensions of one observation, d.
        action_dim: Dimensions of an action.
    """

    history: int
    obs_dim: int
    action_dim: int

    @classmethod
    def of_stacked(cls, history: int, stacked_dim: int, action_dim: int) -> "HistoryLayout":
        """The layout of observations that have `stacked_dim` columns in all."""
        return cls(history, (stacked_dim + action_dim) // history - action_dim, action_dim)

    @property
    def size(self) -> int:
        """Number of columns, k·d + (k − 1)·(dimensions of an action)."""
        return self.obs_dim + self.older_dim

    @property
    def older_dim(self) -> int:
        """Number of columns behind the newest observation."""
        return (self.history - 1) * (self.obs_dim + self.action_dim)

    @property
    def newest(self) -> slice:
        """Columns of the newest observation."""
        return slice(0, self.obs_dim)

    @property
    def older(self) -> slice:
        """Columns of everything else."""
        return slice(self.obs_dim, self.size)

    @property
    def kept(self) -> slice:
        """Columns that a step keeps: the next `older` ones are the action taken, then these."""
        return slice(0, self.size - self.obs_dim - self.action_dim)

    def moved(self, obs: Tensor, action: Tensor) -> Tensor:
        """The `older` columns after a step: the action taken, then what is kept.

        Args:
            obs: Observations before it, `(B, size)`.
            action: `(B, k)`.

        Returns:
            `(B, older_dim)`, copied.
        """
        return torch.cat([action, obs[:, self.kept]], dim=1)


def check_history(history: int) -> None:
    """Refuse a history that is not a number of observations.

    Raises:
        SettingsError: Anything but an integer of at least 1.
    """
    if isinstance(history, bool) or not isinstance(history, int | np.integer) or history < 1:
        raise SettingsError(f"history must be an integer of at least 1, got {history!r}.")


def action_at_rest(action_space: Box) -> NDArray[np.float32]:
    """The action that stands for those before an episode: of all in the space, the nearest to zero, `(k,)`.

    Zero is no action where it is one, and the middle of the usual space from −1 to 1.
    """
    low, high = (np.asarray(bound, dtype=np.float32) for bound in (action_space.low, action_space.high))
    rest: NDArray[np.float32] = np.clip(np.zeros_like(low), low, high)
    return rest
