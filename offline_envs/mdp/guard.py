"""`Guard`: rejects predictions that are not finite or far outside the data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions, obs_bounds
from offline_envs.dynamics import DELTA, REWARD

MARGIN = 10.0
"""Margin beyond the data within which a prediction is accepted, in ranges of the data (at least one unit)."""


@dataclass(frozen=True)
class Guard:
    """Bounds of what a prediction may be; beyond them an episode ends with the dataset's lowest reward.

    Without it one diverging row would carry infinities into an agent's replay buffer.

    Attributes:
        low: Lower bound of (reward, observation), `(1 + d,)`.
        high: Upper bound of (reward, observation), `(1 + d,)`.
        worst_reward: Lowest reward of the dataset, a scalar tensor.
        box: Lower and upper bound of the observation space, `(d,)` each, infinite where it has none; None
            without any bound. Accepted observations are clipped to it.
    """

    low: Tensor
    high: Tensor
    worst_reward: Tensor
    box: tuple[Tensor, Tensor] | None = None

    @classmethod
    def from_transitions(cls, transitions: Transitions, *, device: str | torch.device = "cpu") -> Self:
        """Take the bounds from a dataset: its own, `MARGIN` ranges wider on each side."""
        obs = torch.stack([transitions.obs.amin(0), transitions.next_obs.amin(0)]).amin(0)
        top = torch.stack([transitions.obs.amax(0), transitions.next_obs.amax(0)]).amax(0)
        low = torch.cat([transitions.rewards.min()[None], obs])
        high = torch.cat([transitions.rewards.max()[None], top])
        margin = MARGIN * (high - low).clamp(min=1.0)
        box = _obs_box(transitions, device)
        return cls((low - margin).to(device), (high + margin).to(device), low[0].to(device), box)

    def trusting(self, outputs: Sequence[int]) -> Self:
        """The same guard, which takes every finite value of outputs that are known, not predicted.

        Args:
            outputs: Their numbers among (reward, observation).
        """
        low, high, largest = self.low.clone(), self.high.clone(), torch.finfo(self.low.dtype).max
        low[list(outputs)], high[list(outputs)] = -largest, largest
        return replace(self, low=low, high=high)

    def __call__(self, outcome: Tensor, obs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Replace the rows that lie outside the bounds or are not finite.

        Args:
            outcome: Predicted (reward, next_obs), `(B, 1 + d)`.
            obs: Current observations, `(B, d)`; an exploded row stays there.

        Returns:
            Reward `(B,)`, next observation `(B, d)`, and which rows exploded, bool `(B,)`.
        """
        exploded = (outcome.clamp(self.low, self.high) != outcome).any(dim=1)  # NaN differs from itself
        reward = torch.where(exploded, self.worst_reward, outcome[:, REWARD])
        next_obs = torch.where(exploded[:, None], obs, outcome[:, DELTA])
        if self.box is not None:
            next_obs = next_obs.clamp(*self.box)
        return reward, next_obs, exploded


def _obs_box(transitions: Transitions, device: str | torch.device) -> tuple[Tensor, Tensor] | None:
    """Bounds of the newest observation, if its space has any."""
    if transitions.obs_space is None:
        return None
    bounds = [torch.from_numpy(bound) for bound in obs_bounds(transitions.obs_space)]
    if not any(bool(bound.isfinite().any()) for bound in bounds):
        return None
    low, high = torch.full((2, transitions.obs_dim), torch.inf)
    low.neg_()
    newest = slice(len(bounds[0]))
    low[newest], high[newest] = bounds
    return low.to(device), high.to(device)
