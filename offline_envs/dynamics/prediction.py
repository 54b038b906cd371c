"""`Prediction`: the next step as predicted by every member of an ensemble."""

from typing import NamedTuple

from torch import Tensor

REWARD = 0
"""Index of the reward among a member's outputs."""

DELTA = slice(1, None)
"""Indices of the change of the observation, next_obs − obs, among a member's outputs."""


class Prediction(NamedTuple):
    """Gaussian predictions of `N` members for `B` pairs of observation and action, in raw units.

    The last axis is (reward, next_obs − obs), see `REWARD` and `DELTA`.
    """

    mean: Tensor  # (N, B, 1 + d)
    std: Tensor  # (N, B, 1 + d), zero for deterministic members

    def members(self, index: Tensor) -> "Prediction":
        """Select the members in `index`, int64 `(M,)`."""
        return Prediction(self.mean[index], self.std[index])

    def own(self, member: Tensor) -> "Prediction":
        """Select the prediction of each row's own member, `(B, 1 + d)` each.

        Args:
            member: Index of each row's member among the N, int64 `(B,)`.
        """
        index = member[:, None].expand(self.mean.shape[1:])[None]
        return Prediction(self.mean.gather(0, index)[0], self.std.gather(0, index)[0])
