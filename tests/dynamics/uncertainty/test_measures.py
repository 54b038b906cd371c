import math

import pytest
import torch

from offline_envs.dynamics import (
    MEASURES,
    Prediction,
    ensemble_std,
    max_deviation,
    max_std,
    measure,
)
from offline_envs.errors import SettingsError

PREDICTION = Prediction(
    mean=torch.tensor([[[9.0, 0.0, 0.0]], [[-5.0, 6.0, 8.0]]]),  # two members, one row
    std=torch.tensor([[[1.0, 2.0, 2.0]], [[0.0, 0.0, 1.0]]]),
)


def test_largest_norm_of_the_deviations_counts_the_reward() -> None:
    assert max_std(PREDICTION).tolist() == [3.0]


def test_deviation_of_the_means_leaves_the_reward_out() -> None:
    # The members' average is (3, 4), 5 away from both.
    assert max_deviation(PREDICTION).tolist() == [5.0]


def test_spread_of_the_means_leaves_the_reward_out() -> None:
    # The variances are 9 and 16.
    assert ensemble_std(PREDICTION).item() == pytest.approx(math.sqrt(12.5))


@pytest.mark.parametrize("name", MEASURES)
def test_one_value_a_row_and_none_for_equal_members(name: str) -> None:
    same = Prediction(torch.ones(3, 4, 2), torch.zeros(3, 4, 2))
    assert MEASURES[name](same).tolist() == [0.0] * 4


def test_unknown_measure_names_the_valid_ones() -> None:
    with pytest.raises(SettingsError, match="ensemble_std, max_deviation, max_disagreement, max_std"):
        measure("std")
