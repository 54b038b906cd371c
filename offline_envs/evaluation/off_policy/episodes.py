"""`EpisodeGrid`: values of a dataset's steps, one row an episode; and the episodes that are weighted."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError

LARGEST_LOG_WEIGHT = 600.0
"""Weights beyond e⁶⁰⁰ count as that: they have nothing to say anyway. Float64 ends at e⁷⁰⁹, and weighted
returns of both signs that reach it add up to NaN; with this bound they are finite up to returns of 10⁴⁷.
"""


@dataclass(frozen=True)
class EpisodeGrid:
    """Where the steps of `e` episodes lie in a grid of T columns.

    Attributes:
        rows: Row of the dataset at each place, int64 `(e, T)`; any row where there is none.
        filled: Whether there is a step, bool `(e, T)`.
    """

    rows: Tensor
    filled: Tensor

    @classmethod
    def of(cls, transitions: Transitions, horizon: int | None = None) -> Self:
        """Place a dataset's steps.

        Args:
            transitions: The dataset.
            horizon: Steps of an episode that are kept, T; the longest episode's if None.

        Raises:
            SettingsError: A horizon below 1.
        """
        if horizon is not None and horizon < 1:
            raise SettingsError(f"horizon must be at least 1, got {horizon}.")
        time = torch.arange(horizon or int(transitions.episode_lengths.max()))
        rows = transitions.episode_starts[:, None] + time
        return cls(rows.clamp(max=len(transitions) - 1), time < transitions.episode_lengths[:, None])

    @property
    def horizon(self) -> int:
        """Number of columns, T."""
        return self.filled.shape[1]

    @property
    def last_rows(self) -> Tensor:
        """Row of each episode's last step in the grid, int64 `(e,)`."""
        last = self.filled.sum(1, keepdim=True) - 1
        return self.rows.gather(1, last)[:, 0]

    def place(self, values: Tensor) -> Tensor:
        """Put one value a step, `(n,)`, into the grid: float64 `(e, T)`, 0 where there is no step."""
        return torch.where(self.filled, values.double()[self.rows], 0.0)


@dataclass(frozen=True)
class WeightedEpisodes:
    """Rewards of `e` episodes, and how much more likely the evaluated policy's actions were.

    An episode that is shorter than T is continued by steps without reward and with ratio 1, as in an
    absorbing state. So one that was cut before the horizon, not ended by the MDP, counts what it earned.

    Attributes:
        rewards: Rewards, float64 `(e, T)`.
        log_ratios: log π(a|s) − log μ(a|s) of each step, with the behaviour's density μ, float64 `(e, T)`.
        gamma: Discount γ of the return.
    """

    rewards: Tensor
    log_ratios: Tensor
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if self.rewards.ndim != 2 or self.rewards.shape != self.log_ratios.shape or not self.rewards.numel():
            raise SettingsError(
                "rewards and log_ratios must have one shape (e, T), got "
                f"{tuple(self.rewards.shape)} and {tuple(self.log_ratios.shape)}."
            )
        check_gamma(self.gamma)

    @classmethod
    def of(cls, transitions: Transitions, log_ratios: Tensor, *, gamma: float, grid: EpisodeGrid) -> Self:
        """Place a dataset's rewards and the log-ratios of its steps, `(n,)`, in a grid."""
        return cls(grid.place(transitions.rewards), grid.place(log_ratios), gamma)

    @property
    def horizon(self) -> int:
        """Steps of an episode, T."""
        return self.rewards.shape[1]

    def __len__(self) -> int:
        return len(self.rewards)

    @cached_property
    def discounts(self) -> Tensor:
        """γᵗ of each step, float64 `(T,)`."""
        return self.gamma ** torch.arange(self.horizon, dtype=torch.float64)

    @cached_property
    def log_weights(self) -> Tensor:
        """The log of w₀:ₜ, the sum of the log-ratios up to each step, float64 `(e, T)`."""
        return self.log_ratios.double().cumsum(1)

    @cached_property
    def weights(self) -> Tensor:
        """w₀:ₜ divided by the number of episodes, float64 `(e, T)`: plain importance sampling."""
        return self.log_weights.clamp(max=LARGEST_LOG_WEIGHT).exp() / len(self)

    @cached_property
    def normalized_weights(self) -> Tensor:
        """w₀:ₜ divided by its sum over the episodes, float64 `(e, T)`: weighted importance sampling."""
        return self.log_weights.softmax(0)

    @property
    def effective_sample_size(self) -> float:
        """(Σ w)² / Σ w² of the weights of whole episodes, between 1 and `e` (Kish 1965)."""
        log_w = self.log_weights[:, -1]
        return float((2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp())

    def take(self, index: Tensor) -> Self:
        """The episodes of some numbers, int64 `(m,)`."""
        return type(self)(self.rewards[index], self.log_ratios[index], self.gamma)


def check_gamma(gamma: float) -> None:
    """Refuse a discount outside (0, 1].

    Raises:
        SettingsError: Such a discount.
    """
    if not 0 < gamma <= 1:
        raise SettingsError(f"gamma must be above 0 and at most 1, got {gamma}.")
