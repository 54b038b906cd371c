"""`Calibration`: predicted uncertainty against true one-step error on one set of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from offline_envs.dynamics import REWARD
from offline_envs.evaluation.intervals import LEVELS, interval_shares
from offline_envs.evaluation.model_error import PredictionError
from offline_envs.evaluation.ranking import Bin, rank_correlation, reliability_bins
from offline_envs.evaluation.uncertainty import Uncertainty

N_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Agreement between an ensemble's uncertainty and its errors.

    Attributes:
        n: Number of steps.
        error: Their mean error ‖next_obs − prediction‖₂, raw units.
        correlation: Rank correlation of each measure with the error; None where one is constant.
        bins: Reliability curve of each measure: bins of rising uncertainty.
        shares: Share of the truth inside the intervals of `LEVELS`, `(4, 1 + d)` for (reward, next_obs);
            None for deterministic members, NaN for rewards that cannot be compared.
    """

    n: int
    error: float
    correlation: Mapping[str, float | None]
    bins: Mapping[str, list[Bin]]
    shares: Tensor | None

    @classmethod
    def of(cls, uncertainty: Uncertainty, measured: PredictionError, *, with_reward: bool = True) -> Self:
        """Compare uncertainty and error on the same steps.

        Args:
            uncertainty: Uncertainty of the model.
            measured: Its error.
            with_reward: Whether the model was fitted to the steps' rewards.
        """
        error, u = measured.error, uncertainty.by_measure
        shares = None if measured.quantile is None else interval_shares(measured.quantile)
        if shares is not None and not with_reward:
            shares[:, REWARD] = torch.nan
        return cls(
            len(error),
            float(error.mean()),
            {name: rank_correlation(values, error) for name, values in u.items()},
            {name: reliability_bins(values, error, n_bins=N_BINS) for name, values in u.items()},
            shares,
        )

    @property
    def best(self) -> tuple[str, float] | None:
        """The measure that ranks errors best, and its correlation; None if every measure is constant."""
        known = [(value, name) for name, value in self.correlation.items() if value is not None]
        return (max(known)[1], max(known)[0]) if known else None

    def overall(self) -> dict[float, float]:
        """Share inside the interval over reward and all observation dimensions, by nominal level."""
        if self.shares is None:
            return {}
        return dict(zip(LEVELS, self.shares.nanmean(dim=1).tolist(), strict=True))
