"""Figures over runs, against SciPy, values by hand and the theory of the bootstrap."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from offline_envs.errors import SettingsError
from offline_envs.evaluation import bootstrap_interval, interquartile_mean, performance_profile


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 15, 101])
def test_interquartile_mean_equals_the_trimmed_mean_of_scipy(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=n)
    assert interquartile_mean(scores) == pytest.approx(stats.trim_mean(scores, 0.25))


def test_interquartile_mean_ignores_the_outer_quarters() -> None:
    assert interquartile_mean([[1000.0, 2.0], [4.0, -1000.0]]) == 3.0


def test_profile_by_hand() -> None:
    runs = [np.array([0.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])]
    assert performance_profile(runs, [-1.0, 0.5, 1.0, 5.0]).tolist() == [1.0, 0.75, 0.375, 0.0]


def test_interval_of_a_mean_has_the_width_of_the_normal_theory() -> None:
    scores = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval([scores], lambda sample: float(sample.mean()), seed=1)
    half = 1.96 * scores.std() / 20
    assert low == pytest.approx(scores.mean() - half, abs=0.01)
    assert high == pytest.approx(scores.mean() + half, abs=0.01)


def test_seeds_are_drawn_within_their_dataset() -> None:
    runs = [np.array([0.0, 0.0]), np.array([100.0, 100.0])]
    assert bootstrap_interval(runs, lambda sample: float(sample.mean())) == (50.0, 50.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    runs = [np.arange(5.0)]
    assert bootstrap_interval(runs, seed=3) == bootstrap_interval(runs, seed=3)


@pytest.mark.parametrize("runs", [[], [np.array([])], [np.array([np.nan])]])
def test_no_score_and_scores_that_are_not_finite_are_refused(runs: list[np.ndarray]) -> None:
    with pytest.raises(SettingsError):
        bootstrap_interval(runs)
    with pytest.raises(SettingsError):
        performance_profile(runs, [0.0])


def test_an_interval_needs_scores_by_dataset() -> None:
    """A flat array was taken for datasets of one seed each, of which none varies."""
    flat: Any = np.arange(5.0)
    with pytest.raises(SettingsError, match=r"one array of scores a dataset.* give \[scores\]"):
        bootstrap_interval(flat)


@pytest.mark.parametrize("options", [{"level": 95}, {"level": 1.0}, {"draws": 0}])
def test_levels_and_draws_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="level must be between 0 and 1, and draws at least 1; got"):
        bootstrap_interval([np.arange(5.0)], **options)
