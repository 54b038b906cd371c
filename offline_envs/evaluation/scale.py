"""`DataScale`: standard deviations of a dataset, the units of errors and distances."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions

SMALLEST_STD = 1e-6
"""A dimension with a smaller deviation counts as constant and is divided by 1."""


@dataclass(frozen=True)
class DataScale:
    """Mean and deviation of a dataset's observations and rewards.

    Attributes:
        obs_mean: Mean of each observation dimension, `(d,)`.
        obs_std: Deviation of each observation dimension, `(d,)`, positive.
        reward_mean: Mean reward.
        reward_std: Deviation of the reward, positive.
    """

    obs_mean: Tensor
    obs_std: Tensor
    reward_mean: float
    reward_std: float

    @classmethod
    def of(cls, transitions: Transitions) -> Self:
        """Compute mean and deviation of a dataset."""
        std, mean = torch.std_mean(transitions.obs.double(), dim=0, correction=0)
        reward_std, reward_mean = torch.std_mean(transitions.rewards.double(), correction=0)
        return cls(mean.float(), _positive(std).float(), float(reward_mean), float(_positive(reward_std)))

    @property
    def outputs_std(self) -> Tensor:
        """Deviation of the reward and of each observation dimension, `(1 + d,)`."""
        return torch.cat([torch.tensor([self.reward_std]), self.obs_std])

    def standardized(self, obs: Tensor) -> Tensor:
        """Observations `(..., d)` with mean 0 and deviation 1 over the dataset."""
        return (obs - self.obs_mean) / self.obs_std


def _positive(std: Tensor) -> Tensor:
    return torch.where(std < SMALLEST_STD, 1.0, std)
