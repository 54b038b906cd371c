"""Figures over many runs, as Agarwal et al. 2021 report them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offline_envs.errors import SettingsError

Runs = Sequence[NDArray[np.float64]]
"""Scores of one method: for each dataset those of its seeds, `(n_seeds,)`, as many as there are."""

DRAWS = 2000
"""Bootstrap samples of an interval, as rliable draws by default for one figure of a table."""


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of the scores: a quarter of them is cut off on either side.

    As in Agarwal et al. 2021 ("Deep RL at the edge of the statistical precipice", section 4.3). Whole scores
    are cut, ⌊n/4⌋ on each side, so that fewer than four give their mean.

    Args:
        scores: Scores of all runs, of any shape, at least one.

    Raises:
        SettingsError: No scores, or one that is not finite.
    """
    values = np.sort(_checked(scores))
    cut = len(values) // 4
    return float(values[cut : len(values) - cut].mean())


def bootstrap_interval(
    runs: Runs,
    statistic: Callable[[NDArray[np.float64]], float] = interquartile_mean,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a figure over runs; seeds are drawn again within each dataset.

    The datasets are kept and only their seeds resampled with replacement (the stratified bootstrap of Agarwal
    et al. 2021, section 4.1): the interval is of what other seeds would give on the same datasets.

    Args:
        runs: Scores by dataset; see `Runs`.
        statistic: Figure of the scores of all runs, `(n_runs,)`.
        level: Probability of the interval.
        draws: Bootstrap samples.
        seed: Seed of the draws.

    Returns:
        Lower and upper end. Both equal the figure itself where every dataset has one seed.

    Raises:
        SettingsError: No scores, one that is not finite, scores that are not sorted by dataset, or a level or
            number of draws out of range.
    """
    if not 0 < level < 1 or draws < 1:
        raise SettingsError(f"level must be between 0 and 1, and draws at least 1; got {level} and {draws}.")
    if any(np.ndim(scores) == 0 for scores in runs):
        raise SettingsError(
            "A bootstrap interval needs one array of scores a dataset, within which seeds are drawn; got "
            "single scores. For one dataset, give [scores]."
        )
    strata = [_checked(scores) for scores in runs]
    if not strata:
        raise SettingsError("A bootstrap interval needs at least one run; got none.")
    generator = np.random.default_rng(seed)
    picks = [scores[generator.integers(len(scores), size=(draws, len(scores)))] for scores in strata]
    figures = [statistic(sample) for sample in np.concatenate(picks, axis=1)]
    low, high = np.quantile(figures, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def performance_profile(runs: Runs, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Share of runs whose score is above each threshold, every dataset with the same weight.

    Args:
        runs: Scores by dataset; see `Runs`.
        thresholds: The thresholds τ, `(n,)`.

    Returns:
        Shares, `(n,)`: equation 3 of Agarwal et al. 2021, a mean over datasets of the share of their seeds.

    Raises:
        SettingsError: No scores, or one that is not finite.
    """
    bounds = np.asarray(thresholds, dtype=np.float64)
    shares = [(_checked(scores)[:, None] > bounds).mean(axis=0) for scores in runs]
    if not shares:
        raise SettingsError("A performance profile needs at least one run; got none.")
    return np.asarray(np.mean(shares, axis=0))


def _checked(scores: ArrayLike) -> NDArray[np.float64]:
    """The scores in a line.

    Raises:
        SettingsError: There are none, or one is not finite.
    """
    values = np.asarray(scores, dtype=np.float64).reshape(-1)
    if not len(values):
        raise SettingsError("Figures over runs need at least one score; got none.")
    if not np.isfinite(values).all():
        raise SettingsError(f"Scores must be finite; got {values[~np.isfinite(values)][0]}.")
    return values
