"""`Bootstrap`: percentile intervals of a statistic of episodes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.settings import JsonSettings, check_seed

Statistic = Callable[[Tensor], float]
"""A statistic of the episodes whose numbers it is given, int64 `(e,)`, perhaps with repetitions."""


@dataclass(frozen=True)
class Bootstrap(JsonSettings):
    """How intervals are made: by the percentile bootstrap (Efron 1979) over whole episodes.

    Episodes are drawn with replacement, as many as there are, and the interval holds the central share
    `level` of the statistic over such draws. Steps of an episode depend on each other: none is drawn alone.

    Attributes:
        level: Nominal probability of the interval.
        n_resamples: Number of draws.
        seed: Seed of the draws.

    Raises:
        SettingsError: A level outside (0, 1), no draw, or a seed out of range.
    """

    level: float = 0.95
    n_resamples: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.level < 1:
            raise SettingsError(f"level must lie between 0 and 1, got {self.level}.")
        if self.n_resamples < 1:
            raise SettingsError(f"n_resamples must be at least 1, got {self.n_resamples}.")
        check_seed(self.seed)

    def interval(self, statistic: Statistic, n_episodes: int) -> tuple[float, float]:
        """The interval of a statistic of `n_episodes` episodes, at least one; NaN is passed on."""
        generator = torch.Generator().manual_seed(self.seed)
        draws = (
            torch.randint(n_episodes, (n_episodes,), generator=generator) for _ in range(self.n_resamples)
        )
        values = torch.tensor([statistic(index) for index in draws], dtype=torch.float64)
        outside = (1 - self.level) / 2
        ends = torch.quantile(values, torch.tensor([outside, 1 - outside], dtype=torch.float64))
        return float(ends[0]), float(ends[1])

    def of_mean(self, values: Tensor) -> tuple[float, float]:
        """The interval of the mean of one value an episode, `(e,)`."""
        values = values.double()
        return self.interval(lambda index: float(values[index].mean()), len(values))
