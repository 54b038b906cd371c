"""Doubly robust estimators: importance sampling of what a Q-function does not explain."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap
from offline_envs.evaluation.off_policy.episodes import EpisodeGrid, WeightedEpisodes
from offline_envs.evaluation.off_policy.estimate import Estimate

DOUBLY_ROBUST_FORMS: Mapping[str, str] = MappingProxyType({"dr": "weights", "wdr": "normalized_weights"})
"""Estimator → the weights of `WeightedEpisodes` that it takes: DR of Jiang and Li (2016), unbiased for any Q
if the behaviour is known, and WDR of Thomas and Brunskill (2016), biased but consistent.
"""


@dataclass(frozen=True)
class EpisodeValues:
    """What a Q-function says along `e` episodes of at most T steps.

    Attributes:
        q: Q̂(s_t, a_t) of the recorded pairs, float64 `(e, T)`, 0 after the end.
        v: V̂(s_t) = E Q̂(s_t, π(s_t)), float64 `(e, T + 1)`: 0 after the end of the MDP. The value after the
            last step of an episode that was cut stands for all that would have followed.
    """

    q: Tensor
    v: Tensor

    @classmethod
    def of(cls, transitions: Transitions, q: Tensor, v: Tensor, after: Tensor, *, grid: EpisodeGrid) -> Self:
        """Place the values of a dataset's steps in a grid.

        Args:
            transitions: The dataset.
            q: Q̂ of each pair, `(n,)`.
            v: V̂ of each observation, `(n,)`.
            after: V̂ of what follows each row of `grid.last_rows`, `(e,)`; it is not used where
                the MDP ended.
            grid: The grid.
        """
        followed = torch.where(transitions.terminated[grid.last_rows], 0.0, after.double())[:, None]
        padded = torch.cat([grid.place(v), torch.zeros_like(followed)], dim=1)
        return cls(grid.place(q), padded.scatter(1, grid.filled.sum(1, keepdim=True), followed))

    def take(self, index: Tensor) -> Self:
        """Those of some episodes, int64 `(m,)`."""
        return type(self)(self.q[index], self.v[index])


def doubly_robust(
    episodes: WeightedEpisodes,
    values: EpisodeValues,
    form: str = "dr",
    *,
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """Estimate a policy's return by a Q-function and importance sampling of its errors.

    The recursion V_DR(t) = V̂(s_t) + ρ_t (r_t + γ V_DR(t + 1) − Q̂(s_t, a_t)) of Jiang and Li (2016) is written
    out as V̂(s_0) + Σ_t γᵗ w₀:ₜ (r_t + γ V̂(s_t+1) − Q̂(s_t, a_t)). In WDR the weights of a step are
    divided by their sum over the episodes. With the exact Q and deterministic steps the error is zero in
    every episode, whatever the weights.

    Args:
        episodes: Recorded episodes with the ratios of their actions.
        values: What the Q-function says along them, with the same γ.
        form: `"dr"` or `"wdr"`.
        bootstrap: How the interval is made, over episodes; None means the defaults. The Q-function is
            taken as given.

    Raises:
        SettingsError: An unknown form, or values of another shape.
    """
    if form not in DOUBLY_ROBUST_FORMS:
        raise unknown_name("doubly robust estimator", form, DOUBLY_ROBUST_FORMS)
    e, steps = episodes.rewards.shape
    if values.q.shape != (e, steps) or values.v.shape != (e, steps + 1):
        raise SettingsError(
            f"q and v must have the shapes {(e, steps)} and {(e, steps + 1)} of the episodes, got "
            f"{tuple(values.q.shape)} and {tuple(values.v.shape)}."
        )
    choice = DOUBLY_ROBUST_FORMS[form]

    def statistic(index: Tensor) -> float:
        some = episodes.take(index)
        return _corrected(some, values.take(index), getattr(some, choice))

    interval = (bootstrap or Bootstrap()).interval(statistic, e)
    value = _corrected(episodes, values, getattr(episodes, choice))
    return Estimate(value, interval, episodes.gamma, episodes.horizon, episodes.effective_sample_size)


def _corrected(episodes: WeightedEpisodes, values: EpisodeValues, weights: Tensor) -> float:
    error = episodes.rewards + episodes.gamma * values.v[:, 1:] - values.q
    correction = (weights * error * episodes.discounts).sum()
    return float(values.v[:, 0].mean() + correction)
