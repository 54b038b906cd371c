from dataclasses import replace

import pytest
import torch

from offline_envs.evaluation import DataScale
from tests.toy import toy_transitions


def test_deviations_are_those_of_the_data() -> None:
    """Both dimensions of the toys take 0, 1, 2 equally often; rewards −t − e have twice that variance."""
    scale = DataScale.of(toy_transitions())
    assert scale.obs_mean.tolist() == [1, 1]
    assert scale.obs_std.tolist() == pytest.approx([(2 / 3) ** 0.5] * 2)
    assert (scale.reward_mean, scale.reward_std) == (-2, pytest.approx((4 / 3) ** 0.5))
    assert scale.standardized(torch.ones(2)).tolist() == [0, 0]


def test_a_constant_dimension_is_not_blown_up() -> None:
    toys = toy_transitions()
    constant = replace(toys, obs=torch.stack([toys.obs[:, 0], torch.full((9,), 5.0)], dim=1))
    assert DataScale.of(constant).obs_std[1] == 1
