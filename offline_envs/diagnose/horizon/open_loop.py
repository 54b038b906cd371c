"""`OpenLoopError`: growth of the error while a model continues from its own predictions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from offline_envs.diagnose.base import Row
from offline_envs.diagnose.ground_truth import Windows
from offline_envs.diagnose.horizon.forecasts import (
    Forecast,
    mean_forecast,
    no_change,
    sampled_forecast,
    window_forecast,
)
from offline_envs.evaluation import DataScale
from offline_envs.mdp import LearnedMDP

REWARD_GROUP, ALL_GROUP = "reward", "observation"
SAMPLED, MEAN, STILL, SIMULATOR = "model, sampled", "model, mean", "no change", "simulator"

LIMIT = 0.5
"""Largest median error that counts as useful, in deviations of the data."""

MIN_WINDOWS = 20
"""Minimum number of episodes to judge a step."""


@dataclass(frozen=True)
class Growth:
    """Error after 1, 2, … h steps over the windows of at least that length; NaN if there is none.

    Attributes:
        median: Median error, float64 `(h,)`, in deviations of the data.
        low: The 10 % quantile, `(h,)`.
        high: The 90 % quantile, `(h,)`.
        n: Number of windows, int64 `(h,)`.
    """

    median: Tensor
    low: Tensor
    high: Tensor
    n: Tensor


@dataclass(frozen=True)
class OpenLoopError:
    """Growth of the open-loop error along one kind of actions.

    Attributes:
        actions: Origin of the actions, in words.
        growth: (forecast, group of dimensions) → growth of its error.
        trusted: Steps up to which the mean forecast is useful in half of the episodes.
        trusted_by_most: Steps up to which it is useful in nine of ten episodes.
        sampled: Steps up to which the error of the sampled forecast stays below `LIMIT` in half of the
            episodes. A sample of a perfect model differs from the truth too, so it is not compared with
            expecting no change.
    """

    actions: str
    growth: Mapping[tuple[str, str], Growth]
    trusted: int
    trusted_by_most: int
    sampled: int

    @property
    def episodes(self) -> tuple[int, int]:
        """Number of episodes at the first and at the last step."""
        n = next(iter(self.growth.values())).n
        return int(n[0]), int(n[-1])

    @property
    def judged(self) -> int:
        """Number of steps that at least `MIN_WINDOWS` episodes reach; no later step is judged."""
        return int((self.growth[STILL, ALL_GROUP].n >= MIN_WINDOWS).long().cumprod(dim=0).sum())

    @property
    def groups(self) -> list[str]:
        """Groups of dimensions in order."""
        return list(dict.fromkeys(group for _, group in self.growth))

    def rows(self) -> list[Row]:
        """One row for each point of each curve."""
        return [
            {
                "actions": self.actions,
                "forecast": who,
                "group": group,
                "step": step + 1,
                "median error": median,
                "10 %": low,
                "90 %": high,
                "episodes": n,
            }
            for (who, group), curve in self.growth.items()
            for step, (median, low, high, n) in enumerate(
                zip(*(getattr(curve, f).tolist() for f in ("median", "low", "high", "n")), strict=True)
            )
            if n
        ]


def open_loop_error(
    actions: str,
    mdp: LearnedMDP,
    windows: Windows,
    scale: DataScale,
    groups: Mapping[str, slice],
    *,
    generator: torch.Generator,
    columns: slice = slice(None),
    repeated: Windows | None = None,
    without_reward: Collection[str] = (),
) -> OpenLoopError:
    """Follow the actions of real windows in the model, and measure how its error grows.

    Args:
        actions: Origin of the actions, in words.
        mdp: The learned MDP.
        windows: The real steps.
        scale: Deviations of the data, the unit of errors.
        groups: Observation dimensions that belong together.
        generator: Source of randomness, on the model's device.
        columns: Observation dimensions that count; the past in a history is known, and would hide errors.
        repeated: Result of the same actions in the simulator, if `windows` were recorded.
        without_reward: Forecasts whose rewards are another quantity and are not compared.
    """
    forecasts: dict[str, Forecast] = {
        SAMPLED: sampled_forecast(mdp, windows, generator),
        MEAN: mean_forecast(mdp, windows),
        STILL: no_change(windows, scale),
    }
    if repeated is not None:
        forecasts[SIMULATOR] = window_forecast(repeated)
    curves = {
        (who, group): growth(error)
        for who, forecast in forecasts.items()
        for group, error in group_errors(windows, forecast, scale, groups, columns).items()
        if group != REWARD_GROUP or who not in without_reward
    }
    model, noisy, still = (curves[who, ALL_GROUP] for who in (MEAN, SAMPLED, STILL))
    anything = torch.full_like(still.median, torch.inf)
    bounds: dict[str, Any] = {"limit": LIMIT, "least": MIN_WINDOWS}
    return OpenLoopError(
        actions,
        curves,
        trusted_horizon(model.median, still.median, model.n, **bounds),
        trusted_horizon(model.high, still.high, model.n, **bounds),
        trusted_horizon(noisy.median, anything, noisy.n, **bounds),
    )


def group_errors(
    windows: Windows,
    forecast: Forecast,
    scale: DataScale,
    groups: Mapping[str, slice],
    columns: slice = slice(None),
) -> dict[str, Tensor]:
    """Error of each step by group of dimensions, in deviations of the data.

    Args:
        windows: The truth.
        forecast: The prediction.
        scale: Deviations of the data.
        groups: Names of observation dimensions that belong together; a group of all dimensions and one of the
            reward are added.
        columns: Dimensions that count as all.

    Returns:
        Root mean square over the group's dimensions, float64 `(n, h)`, NaN after an episode's end.
    """
    missed = ((forecast.obs - windows.obs[:, 1:]) / scale.obs_std).double()
    errors = {
        ALL_GROUP: _rms(missed[..., columns]),
        **{name: _rms(missed[..., part]) for name, part in groups.items()},
    }
    errors[REWARD_GROUP] = ((forecast.rewards - windows.rewards) / scale.reward_std).double().abs()
    return {name: error.masked_fill(~windows.present, torch.nan) for name, error in errors.items()}


def growth(error: Tensor) -> Growth:
    """Summarise errors `(n, h)` over the windows, ignoring NaN."""
    quantiles = torch.nanquantile(error, torch.tensor([0.1, 0.5, 0.9], dtype=error.dtype), dim=0)
    low, median, high = quantiles
    return Growth(median, low, high, (~error.isnan()).sum(dim=0))


def trusted_horizon(error: Tensor, baseline: Tensor, n: Tensor, *, limit: float, least: int) -> int:
    """Number of steps for which a forecast stays useful: its error is below `limit` and below the baseline's.

    Args:
        error: Error of the forecast after 1, 2, … steps, e.g. a quantile over episodes, `(h,)`.
        baseline: The same statistic of `no_change`, `(h,)`.
        n: Number of episodes behind each, `(h,)`.
        limit: Largest error, in deviations of the data.
        least: Minimum number of episodes to judge a step; a step with fewer ends the count.

    Returns:
        Number of steps, 0 if the first is already too far off or has too few episodes.
    """
    good = (error < limit) & (error < baseline) & (n >= least)
    return int(good.long().cumprod(dim=0).sum())


def _rms(missed: Tensor) -> Tensor:
    return missed.square().mean(dim=-1).sqrt()
