"""`Foresight`: how many steps ahead a model sees, held against what really follows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.diagnose.open_loop import (
    ALL_GROUP,
    REWARD_GROUP,
    Forecast,
    Growth,
    group_errors,
    growth,
    mean_forecast,
    no_change,
    sampled_forecast,
    trusted_horizon,
    window_forecast,
)
from offline_envs.diagnose.scale import DataScale
from offline_envs.diagnose.simulator import Simulator
from offline_envs.diagnose.table import Row
from offline_envs.diagnose.windows import Windows, simulated_windows
from offline_envs.mdp import LearnedMDP
from offline_envs.policies import Predictor

LIMIT = 0.5
"""Largest median error that counts as useful, in deviations of the data."""

LEAST_WINDOWS = 20
"""Fewest episodes that a step is judged by."""

SAMPLED, MEAN, STILL, SIMULATOR = "model, sampled", "model, mean", "no change", "simulator"


@dataclass(frozen=True)
class Foresight:
    """Growth of the open-loop error along one kind of actions.

    Attributes:
        actions: Where the actions come from, in words.
        growth: (who forecasts, group of dimensions) → growth of its error.
        trusted: Steps up to which the mean forecast is useful in half of the episodes.
        trusted_by_most: Steps up to which it is useful in nine of ten episodes.
        sampled: Steps up to which the sampled forecast keeps below `LIMIT` in half of the episodes. A sample
            misses even the truth of a perfect model, so it is not compared with expecting no change.
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
        """Steps that at least `LEAST_WINDOWS` episodes last to, which alone can be trusted or not."""
        return int((self.growth[STILL, ALL_GROUP].n >= LEAST_WINDOWS).long().cumprod(dim=0).sum())

    @property
    def groups(self) -> list[str]:
        """Groups of dimensions in order."""
        return list(dict.fromkeys(group for _, group in self.growth))

    def rows(self) -> list[Row]:
        """Every curve as rows of a table."""
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


@dataclass(frozen=True)
class Replay:
    """How well a simulator repeats what the dataset recorded, one step from each of `n` states.

    Attributes:
        n: Number of states.
        obs_error: Largest difference of a next observation, in deviations of the data.
        reward_error: Median difference of a reward, in deviations of the data.
    """

    n: int
    obs_error: float
    reward_error: float

    @property
    def same_reward(self) -> bool:
        """Whether the dataset's rewards are the simulator's; relabelled ones are not."""
        return self.reward_error < 0.01


def draw_starts(
    transitions: Transitions, simulator: Simulator | None, n: int, generator: torch.Generator
) -> tuple[Tensor, float]:
    """Draw rows, of those whose observation determines the simulator's state where there is one.

    Returns:
        Rows, int64 `(n,)` or fewer, and the share of rows that they were drawn from.
    """
    rows = torch.arange(len(transitions))
    if simulator is not None:
        rows = rows[torch.from_numpy(simulator.layout.is_exact(transitions.obs.numpy()))]
    picked = rows[torch.randperm(len(rows), generator=generator)[:n]]
    return picked, len(rows) / len(transitions)


def replay(simulator: Simulator, recorded: Windows, scale: DataScale) -> tuple[Windows, Replay]:
    """Take the recorded actions in the simulator, from the recorded starts."""
    actions = recorded.actions.numpy()

    def choose(i: int, t: int, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        del obs  # Unused: open loop.
        chosen: NDArray[np.float32] = actions[i, t]
        return chosen

    horizon = recorded.actions.shape[1]
    repeated = simulated_windows(simulator, recorded.obs[:, 0], choose, recorded.lengths, horizon)
    missed = (repeated.obs[:, 1] - recorded.obs[:, 1]) / scale.obs_std
    paid = (repeated.rewards[:, 0] - recorded.rewards[:, 0]).abs() / scale.reward_std
    return repeated, Replay(len(recorded), float(missed.abs().max()), float(paid.median()))


def policy_windows(simulator: Simulator, starts: Tensor, policy: Predictor, horizon: int) -> Windows:
    """Let a policy act in the simulator from `starts`, `(n, d)`: it sees the simulator's observations."""

    def choose(i: int, t: int, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        del i, t  # Unused.
        chosen: NDArray[np.float32] = np.asarray(policy.predict(obs, deterministic=True)[0], np.float32)
        return chosen

    lengths = torch.full((len(starts),), horizon)
    return simulated_windows(simulator, starts, choose, lengths, horizon)


def foresee(
    actions: str,
    mdp: LearnedMDP,
    windows: Windows,
    scale: DataScale,
    groups: Mapping[str, slice],
    *,
    generator: torch.Generator,
    repeated: Windows | None = None,
    without_reward: Collection[str] = (),
) -> Foresight:
    """Let the model follow the actions of real windows, and measure how far it goes astray.

    Args:
        actions: Where the actions come from, in words.
        mdp: The learned MDP.
        windows: What really follows.
        scale: Deviations of the data, the unit of errors.
        groups: Observation dimensions that belong together.
        generator: Source of randomness, on the model's device.
        repeated: What the simulator makes of the same actions, where `windows` were recorded.
        without_reward: Forecasts whose rewards are not compared, as they mean something else.
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
        for group, error in group_errors(windows, forecast, scale, groups).items()
        if group != REWARD_GROUP or who not in without_reward
    }
    model, noisy, still = (curves[who, ALL_GROUP] for who in (MEAN, SAMPLED, STILL))
    anything = torch.full_like(still.median, torch.inf)
    bounds: dict[str, Any] = {"limit": LIMIT, "least": LEAST_WINDOWS}
    return Foresight(
        actions,
        curves,
        trusted_horizon(model.median, still.median, model.n, **bounds),
        trusted_horizon(model.high, still.high, model.n, **bounds),
        trusted_horizon(noisy.median, anything, noisy.n, **bounds),
    )
