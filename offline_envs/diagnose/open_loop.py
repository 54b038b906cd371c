"""How an error grows while a model goes on from its own predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from offline_envs.diagnose.scale import DataScale
from offline_envs.diagnose.windows import Windows
from offline_envs.mdp import LearnedMDP, ModelWorld, follow, keep_all
from offline_envs.policies import RecordedActions

REWARD_GROUP, ALL_GROUP = "reward", "observation"


@dataclass(frozen=True)
class Forecast:
    """What a model expects over the steps of some windows.

    Attributes:
        obs: Observations after each step, `(n, h, d)`.
        rewards: Rewards, `(n, h)`.
    """

    obs: Tensor
    rewards: Tensor


@dataclass(frozen=True)
class Growth:
    """Error after 1, 2, … h steps, over the windows that last so long; NaN where none does.

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


def sampled_forecast(mdp: LearnedMDP, windows: Windows, generator: torch.Generator) -> Forecast:
    """Follow the windows' actions as a learned environment does: a random elite's Gaussian at each step."""
    return _forecast(mdp, windows, generator)


def mean_forecast(mdp: LearnedMDP, windows: Windows) -> Forecast:
    """Follow the windows' actions without noise: the mean of the elites' means at each step."""
    generator = torch.Generator(mdp.members.elites.device)  # nothing is drawn from it
    return _forecast(mdp.without_transform().with_means(), windows, generator)


def _forecast(mdp: LearnedMDP, windows: Windows, generator: torch.Generator) -> Forecast:
    world = ModelWorld(mdp, windows.obs[:, 0].to(generator.device), generator, further=keep_all)
    steps = islice(follow(RecordedActions(windows.actions), world), windows.actions.shape[1])
    return _stacked([(f.step.next_obs.cpu(), f.step.raw_reward.cpu()) for f in steps])


def no_change(windows: Windows, scale: DataScale) -> Forecast:
    """Expect every observation to stay as it is, and the dataset's mean reward: what a model must beat."""
    obs = windows.obs[:, :1].expand(-1, windows.actions.shape[1], -1)
    return Forecast(obs, torch.full_like(windows.rewards, scale.reward_mean))


def window_forecast(windows: Windows) -> Forecast:
    """Take what happened in other windows from the same states as a forecast."""
    return Forecast(windows.obs[:, 1:], windows.rewards)


def group_errors(
    windows: Windows, forecast: Forecast, scale: DataScale, groups: Mapping[str, slice]
) -> dict[str, Tensor]:
    """Error of each step by group of dimensions, in deviations of the data.

    Args:
        windows: The truth.
        forecast: What was expected.
        scale: Deviations of the data.
        groups: Names of observation dimensions that belong together; all of them, and the reward, are added.

    Returns:
        Root mean square over the group's dimensions, float64 `(n, h)`, NaN behind an episode's end.
    """
    missed = ((forecast.obs - windows.obs[:, 1:]) / scale.obs_std).double()
    errors = {ALL_GROUP: _rms(missed), **{name: _rms(missed[..., part]) for name, part in groups.items()}}
    errors[REWARD_GROUP] = ((forecast.rewards - windows.rewards) / scale.reward_std).double().abs()
    return {name: error.masked_fill(~windows.present, torch.nan) for name, error in errors.items()}


def growth(error: Tensor) -> Growth:
    """Summarise errors `(n, h)`, NaN where there is none, over the windows."""
    quantiles = torch.nanquantile(error, torch.tensor([0.1, 0.5, 0.9], dtype=error.dtype), dim=0)
    low, median, high = quantiles
    return Growth(median, low, high, (~error.isnan()).sum(dim=0))


def trusted_horizon(error: Tensor, baseline: Tensor, n: Tensor, *, limit: float, least: int) -> int:
    """Steps up to which a forecast stays useful: its error below `limit` and below the baseline's throughout.

    Args:
        error: Error of the forecast after 1, 2, … steps, e.g. a quantile over episodes, `(h,)`.
        baseline: The same of `no_change`, `(h,)`.
        n: Number of episodes behind each, `(h,)`.
        limit: Largest error, in deviations of the data.
        least: Episodes that a step must have to be judged; a step with fewer ends the count.

    Returns:
        Number of steps, 0 if already the first is too far or has too few episodes.
    """
    good = (error < limit) & (error < baseline) & (n >= least)
    return int(good.long().cumprod(dim=0).sum())


def _rms(missed: Tensor) -> Tensor:
    return missed.square().mean(dim=-1).sqrt()


def _stacked(parts: list[tuple[Tensor, Tensor]]) -> Forecast:
    obs, rewards = zip(*parts, strict=True)
    return Forecast(torch.stack(obs, dim=1), torch.stack(rewards, dim=1))
