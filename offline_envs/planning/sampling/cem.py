"""`CEM`: the cross-entropy method, with the settings of PETS (Chua et al. 2018)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning.planner import Decision
from offline_envs.planning.sampling.base import SamplingPlanner, best
from offline_envs.planning.settings import PlannerSettings, SamplingSettings

CUT = 2.0
"""Deviations from the mean beyond which nothing is sampled."""

LOWEST_VARIANCE = 1e-3
"""Variance of actions in [−1, 1] below which a plan is not refined further (the release's)."""


@dataclass(frozen=True)
class CEMSettings(SamplingSettings):
    """Settings of the cross-entropy method; the defaults are those of PETS's release.

    Attributes:
        iterations: Times that the distribution is refitted.
        elites: Best candidates that it is refitted to.
        momentum: α, the share of the former mean and variance that is kept.

    Raises:
        SettingsError: A number out of range, or more elites than candidates.
    """

    iterations: int = 5
    elites: int = 50
    momentum: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "iterations", "elites")
        if self.elites > self.candidates:
            raise SettingsError(f"elites must be at most candidates={self.candidates}, got {self.elites}.")
        if not 0 <= self.momentum < 1:
            raise SettingsError(f"momentum must be 0 or more and below 1, got {self.momentum:g}.")


class CEM(SamplingPlanner):
    """Refits a normal distribution over plans to the best of its samples, and takes its mean.

    Chua et al. 2018 (PETS), appendix, and its release: samples are cut at two deviations, and deviations at
    half the distance to the nearer bound, so that no sample lies beyond it. The mean begins with the last
    plan, shifted, and the variance with (high − low)²/16.
    """

    settings_type: ClassVar[type[PlannerSettings]] = CEMSettings
    settings: CEMSettings

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        mean = memory[:, 0]
        variance = (self.half**2 / 4).expand_as(mean)
        for iteration in range(self.settings.iterations):
            going = (variance / self.half**2).amax(dim=(1, 2), keepdim=True) > LOWEST_VARIANCE
            if not bool(going.any()):
                break
            plans = self._samples(mean, variance)
            if iteration == 0:
                plans = self.with_proposals(obs, plans, mean)
            elites = best(plans, self.values(obs, plans), self.settings.elites)
            mean, variance = (
                torch.where(going, torch.lerp(new, old, self.settings.momentum), old)
                for new, old in ((elites.mean(1), mean), (elites.var(1, correction=0), variance))
            )
        return Decision(mean[:, 0], mean[:, None])

    def _samples(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Candidates around a mean `(n, H, k)`, `(n, N, H, k)`."""
        nearer = torch.minimum(mean - self.low, self.high - mean) / 2
        std = torch.minimum(variance.sqrt(), nearer)
        shape = (len(mean), self.settings.candidates, *mean.shape[1:])
        return self.bounded(mean[:, None] + std[:, None] * cut_normal(self.uniform(*shape)))


def cut_normal(uniform: Tensor) -> Tensor:
    """Standard normal numbers within `CUT` deviations, from uniform ones in [0, 1): F⁻¹ of the cut normal."""
    inside = math.erf(CUT / math.sqrt(2))
    return torch.erfinv(inside * (2 * uniform - 1)) * math.sqrt(2)
