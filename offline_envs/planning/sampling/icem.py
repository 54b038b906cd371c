"""`ICEM`: the improved cross-entropy method (Pinneri et al. 2020)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning.planner import Decision
from offline_envs.planning.sampling.base import SamplingPlanner, best
from offline_envs.planning.sampling.cem import CEMSettings
from offline_envs.planning.sampling.coloured_noise import coloured
from offline_envs.planning.settings import PlannerSettings


@dataclass(frozen=True)
class ICEMSettings(CEMSettings):
    """Settings of iCEM; the defaults are those of its release.

    Attributes:
        std: Deviation that a decision begins with, in shares of half the range of each action.
        colour: β of the noise, whose power falls with frequency as 1/f^β: 0 is white, 2 a random walk. The
            release takes 0.25 in HalfCheetah, 2 to 3.5 in tasks of slow movements.
        keep: Share of the elites that the next iteration, and the next decision, has among its candidates.
        decay: Factor by which the number of candidates falls from one iteration to the next.

    Raises:
        SettingsError: A number out of range.
    """

    horizon: int = 30
    candidates: int = 40
    iterations: int = 3
    elites: int = 10
    std: float = 0.5
    colour: float = 3.0
    keep: float = 0.3
    decay: float = 1.25

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(0, "colour")
        self.at_least(1, "decay")
        if self.std <= 0:
            raise SettingsError(f"std must be above 0, got {self.std:g}.")
        if not 0 <= self.keep <= 1:
            raise SettingsError(f"keep must lie in 0..1, got {self.keep:g}.")

    @property
    def n_kept(self) -> int:
        """Number of elites that are kept."""
        return math.ceil(self.keep * self.elites)

    def n_candidates(self, iteration: int) -> int:
        """max(N·γ^−i, 2K) candidates of an iteration, counted from 0."""
        return max(int(self.candidates * self.decay**-iteration), 2 * self.elites)


class ICEM(SamplingPlanner):
    """CEM with coloured noise, fewer candidates and a memory of the elites; takes the best plan's action.

    Pinneri et al. 2020, algorithm 1: some elites are candidates of the next iteration and, shifted, of the
    next decision; in the last iteration the mean is one as well, beside them. Samples are clipped to the
    bounds. (The release has the mean take the place of a sample.)
    """

    settings_type: ClassVar[type[PlannerSettings]] = ICEMSettings
    settings: ICEMSettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.n_remembered = 1 + self.settings.n_kept

    def appended(self, last: Tensor) -> Tensor:
        """The last action once more, as in the paper."""
        return last

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """See `Planner`."""
        own = self.settings
        mean, kept = memory[:, 0], memory[:, 1:]
        std = (own.std * self.half).expand_as(mean)
        for iteration in range(own.iterations):
            plans = torch.cat([self._samples(mean, std, own.n_candidates(iteration)), kept], dim=1)
            if iteration == 0:
                plans = self.with_proposals(obs, plans, mean)
            if iteration == own.iterations - 1:
                plans = torch.cat([plans, mean[:, None]], dim=1)
            elites = best(plans, self.values(obs, plans), own.elites)
            kept = elites[:, : own.n_kept]
            mean = torch.lerp(elites.mean(1), mean, own.momentum)
            std = torch.lerp(elites.std(1, correction=0), std, own.momentum)
        return Decision(elites[:, 0, 0], torch.cat([mean[:, None], kept], dim=1))

    def _samples(self, mean: Tensor, std: Tensor, n: int) -> Tensor:
        """Candidates around a mean `(m, H, k)`, `(m, n, H, k)`; noise runs along the steps of each action."""
        rows, horizon, k = mean.shape
        noise = coloured((rows, n, k, horizon), self.settings.colour, self.generator).transpose(2, 3)
        return self.bounded(mean[:, None] + std[:, None] * noise)
