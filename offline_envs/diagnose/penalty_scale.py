"""What a penalty costs beside the rewards that it is taken off."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from offline_envs.diagnose.measured import Doubt
from offline_envs.diagnose.rollouts import Rollouts
from offline_envs.diagnose.table import Row

SHARES = (0.1, 0.5)
"""Shares of the mean |reward| between which a mean penalty is felt and does not rule."""


@dataclass(frozen=True)
class PenaltyScale:
    """One measure of uncertainty over one set of steps.

    Attributes:
        mean: Mean of u.
        high: The 95 % quantile of u.
        reward: Mean |reward| of the steps.
    """

    mean: float
    high: float
    reward: float

    @property
    def cost(self) -> float:
        """What λ = 1 costs: mean u in mean |reward|; infinite where nothing is paid."""
        return self.mean / self.reward if self.reward > 0 else float("inf")

    @property
    def tail(self) -> float:
        """How many times the mean the 95 % quantile is; 1 where u is 0."""
        return self.high / self.mean if self.mean > 0 else 1.0

    @property
    def coefficients(self) -> tuple[float, float] | None:
        """The λ at which the mean penalty is each of `SHARES` of the mean |reward|, or None."""
        if not (self.mean > 0 and self.reward > 0):
            return None
        return SHARES[0] / self.cost, SHARES[1] / self.cost


@dataclass(frozen=True)
class SourceScale:
    """How penalties and ends come about over one set of steps.

    Attributes:
        source: Which steps these are, in words.
        n: Their number.
        measures: Scale of each measure.
        terminated: Share of steps that ended the MDP, exploded ones included.
        exploded: Share of steps whose prediction was rejected.
    """

    source: str
    n: int
    measures: Mapping[str, PenaltyScale]
    terminated: float
    exploded: float

    @classmethod
    def of(cls, source: str, steps: Rollouts, doubt: Doubt, *, horizon: int | None = None) -> "SourceScale":
        """Summarise steps, those up to `horizon` in their episode alone if it is given."""
        kept = steps.time <= (horizon or steps.time.max())
        reward = float(steps.rewards[kept].abs().double().mean())
        measures = {
            name: PenaltyScale(float(u[kept].double().mean()), float(_high(u[kept])), reward)
            for name, u in doubt.uncertainty.items()
        }
        ended, exploded = (float(flag[kept].double().mean()) for flag in (steps.terminated, steps.exploded))
        return cls(source, int(kept.sum()), measures, ended, exploded)

    def rows(self) -> list[Row]:
        """One row of a table for each measure."""
        return [
            {
                "source": self.source,
                "measure": name,
                "steps": self.n,
                "mean u": scale.mean,
                "95 % quantile of u": scale.high,
                "mean |reward|": scale.reward,
                "mean u / mean |reward|": scale.cost,
                "terminated steps": self.terminated,
                "exploded steps": self.exploded,
            }
            for name, scale in self.measures.items()
        ]


def course(values: torch.Tensor, steps: Rollouts) -> torch.Tensor:
    """Mean of `values`, `(m,)`, over the steps of equal time, float64 `(h,)`.

    NaN from where fewer than half of the episodes are left: the few that last are not like the others.
    """
    index = steps.time - 1
    size = int(index.max()) + 1
    total = torch.zeros(size, dtype=torch.float64).index_add(0, index, values.double())
    n = torch.bincount(index, minlength=size)
    return (total / n).masked_fill(2 * n < n[0], torch.nan)


def _high(values: torch.Tensor) -> torch.Tensor:
    return torch.quantile(values.double(), 0.95)
