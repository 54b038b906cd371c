from typing import Any

import numpy as np
import pytest

from offline_envs.dynamics import RULES, DisagreementStats, ThresholdRule
from offline_envs.errors import SettingsError

STATS = DisagreementStats.of(np.array([1.0, 2.0, 3.0, 6.0], np.float32))  # mean 3, variance 14 / 4


@pytest.mark.parametrize(
    ("setting", "threshold"),
    [
        ({"mean_std": 0}, 3.0),
        ({"mean_std": 2.0}, 3.0 + 2 * 3.5**0.5),
        ({"quantile": 0.0}, 1.0),
        ({"quantile": 0.5}, 2.5),
        ({"quantile": 0.99995}, 6.0 - 3 * 3 * 0.00005),  # between two levels of the grid
        ({"quantile": 1}, 6.0),
        ({"quantile": np.float32(1)}, 6.0),
        ({"mean_std": np.int64(0)}, 3.0),
        ({"max_over": 3.0}, 2.0),
        ({"max_over": 0.5}, 12.0),
    ],
)
def test_threshold_of_four_pairs_by_hand(setting: dict[str, float], threshold: float) -> None:
    assert ThresholdRule.from_json(setting)(STATS) == pytest.approx(threshold, rel=1e-9)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({}, "threshold must be one rule with its value"),
        ({"mean_std": 1.0, "quantile": 0.5}, "one rule with its value"),
        (3.0, r"one rule with its value, e\.g\. \{'mean_std': 10\.0\}, got 3\.0"),
        ({"median": 1.0}, r"Unknown threshold rule 'median'\. Valid: max_over, mean_std, quantile\."),
        ({"mean_std": -1.0}, "'mean_std' must be 0 or more, got -1.0"),
        ({"mean_std": float("nan")}, "must be 0 or more, got nan"),
        ({"quantile": 1.5}, "'quantile' must be from 0 to 1, got 1.5"),
        ({"max_over": 0.0}, "'max_over' must be above 0, got 0.0"),
        ({"max_over": "3"}, "must be above 0, got '3'"),
        ({"max_over": True}, "must be above 0, got True"),
    ],
)
def test_bad_settings_are_refused(setting: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ThresholdRule.from_json(setting)


def test_typical_values_are_valid() -> None:
    for name, rule in RULES.items():
        for value in rule.typical:
            assert ThresholdRule.from_json({name: value})(STATS) > 0
