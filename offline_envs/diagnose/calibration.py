"""`Calibration`: predicted uncertainty against true one-step error on one set of steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.diagnose.intervals import LEVELS, interval_shares
from offline_envs.diagnose.measured import Doubt, Verdict
from offline_envs.diagnose.reliability import Bin, rank_correlation, reliability
from offline_envs.diagnose.table import Row
from offline_envs.dynamics.prediction import REWARD

N_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """What an ensemble's uncertainty is worth.

    Attributes:
        source: Which steps these are, in words.
        n: Their number.
        error: Their mean error ‖next_obs − prediction‖₂, raw units.
        correlation: Rank correlation of each measure with the error; None where one is constant.
        bins: Steps of rising uncertainty, for each measure.
        shares: Share of the truth inside the intervals of `LEVELS`, `(4, 1 + d)` for (reward, next_obs);
            None for deterministic members, NaN for rewards that cannot be compared.
    """

    source: str
    n: int
    error: float
    correlation: Mapping[str, float | None]
    bins: Mapping[str, list[Bin]]
    shares: Tensor | None

    @classmethod
    def of(cls, source: str, doubt: Doubt, verdict: Verdict, *, with_reward: bool = True) -> "Calibration":
        """Compare doubt and truth on the same steps.

        Args:
            source: Which steps these are, in words.
            doubt: What the model was unsure of.
            verdict: How far it was from the truth.
            with_reward: Whether the steps' rewards are those that the model was fitted to.
        """
        u = doubt.uncertainty
        shares = None if verdict.quantile is None else interval_shares(verdict.quantile)
        if shares is not None and not with_reward:
            shares[:, REWARD] = torch.nan
        return cls(
            source,
            len(verdict.error),
            float(verdict.error.mean()),
            {name: rank_correlation(values, verdict.error) for name, values in u.items()},
            {name: reliability(values, verdict.error, n_bins=N_BINS) for name, values in u.items()},
            shares,
        )

    @property
    def best(self) -> tuple[str, float] | None:
        """The measure that ranks errors best, and its correlation; None where none has one."""
        known = [(value, name) for name, value in self.correlation.items() if value is not None]
        return (max(known)[1], max(known)[0]) if known else None

    def overall(self) -> dict[float, float]:
        """Share inside the interval over reward and all observation dimensions, by nominal level."""
        if self.shares is None:
            return {}
        return dict(zip(LEVELS, self.shares.nanmean(dim=1).tolist(), strict=True))

    def bin_rows(self) -> list[Row]:
        """The reliability curves as rows of a table."""
        return [
            {
                "source": self.source,
                "measure": name,
                "bin": number,
                "uncertainty": bin_.uncertainty,
                "error": bin_.error,
                "n": bin_.n,
            }
            for name, bins in self.bins.items()
            for number, bin_ in enumerate(bins)
        ]

    def interval_rows(self) -> list[Row]:
        """The shares inside the intervals as rows of a table."""
        if self.shares is None:
            return []
        names = ["reward", *(f"obs {i}" for i in range(self.shares.shape[1] - 1)), "all"]
        columns = torch.cat([self.shares, self.shares.nanmean(dim=1, keepdim=True)], dim=1).T.tolist()
        return [
            {
                "source": self.source,
                "dimension": name,
                **{f"inside {p:.0%}": s for p, s in zip(LEVELS, column, strict=True)},
            }
            for name, column in zip(names, columns, strict=True)
        ]
