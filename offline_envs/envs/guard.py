"""`Guard`: what to do when a model predicts a number that cannot be."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.envs.step import Step

MARGIN = 10.0
"""How far beyond the data a prediction may lie, in ranges of the data (or units, where that is wider)."""


@dataclass(frozen=True)
class Guard:
    """Bounds of what a prediction may be; beyond them an episode ends with the dataset's lowest reward.

    Without it one diverging row would carry infinities into an agent's replay buffer.

    Attributes:
        low: Lower bound of (reward, observation), `(1 + d,)`.
        high: Upper bound of (reward, observation), `(1 + d,)`.
        worst_reward: Lowest reward of the dataset, a scalar tensor.
    """

    low: Tensor
    high: Tensor
    worst_reward: Tensor

    @classmethod
    def from_transitions(cls, transitions: Transitions, *, device: str | torch.device = "cpu") -> Self:
        """Take the bounds from a dataset: its own, `MARGIN` ranges wider on each side."""
        obs = torch.stack([transitions.obs.amin(0), transitions.next_obs.amin(0)]).amin(0)
        top = torch.stack([transitions.obs.amax(0), transitions.next_obs.amax(0)]).amax(0)
        low = torch.cat([transitions.rewards.min()[None], obs])
        high = torch.cat([transitions.rewards.max()[None], top])
        margin = MARGIN * (high - low).clamp(min=1.0)
        return cls((low - margin).to(device), (high + margin).to(device), low[0].to(device))

    def __call__(self, step: Step, obs: Tensor) -> Step:
        """End the rows whose prediction lies outside the bounds or is not finite.

        Such a row stays at `obs`, its last believable observation, `(B, d)`.
        """
        outcome = torch.cat([step.reward[:, None], step.next_obs], dim=1)
        exploded = ~((outcome >= self.low) & (outcome <= self.high)).all(dim=1)  # NaN compares false
        reward = torch.where(exploded, self.worst_reward, step.reward)
        return step._replace(
            next_obs=torch.where(exploded[:, None], obs, step.next_obs),
            reward=reward,
            raw_reward=reward,
            exploded=exploded,
        )
