"""Dynamics rewards by hand."""

import math

import pytest
import torch

from offline_envs.consistency import HIGHEST, LOWEST, calibrated, reward_of_logits


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_logits_are_clamped_to_the_two_means_and_scaled() -> None:
    """Between −2 and 4 the middle is 1; what lies beyond counts as the end."""
    logits = torch.tensor([[-9.0, -2.0, -0.5, 1.0, 2.5, 4.0, 9.0]])
    found = calibrated(logits, torch.tensor([-2.0]), torch.tensor([4.0]))
    assert found.tolist() == [[-1.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0]]


def test_each_discriminator_has_its_own_means() -> None:
    logits = torch.tensor([[1.0], [1.0]])
    found = calibrated(logits, torch.tensor([0.0, -1.0]), torch.tensor([2.0, 1.0]))
    assert found.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("of_data", [1.0, 0.5])
def test_one_that_tells_nothing_says_nothing(of_data: float) -> None:
    """Its mean is not larger on recorded steps than on the model's, so its logits have no meaning."""
    logits = torch.tensor([[-5.0, 1.0, 5.0]])
    assert calibrated(logits, torch.tensor([1.0]), torch.tensor([of_data])).tolist() == [[0.0, 0.0, 0.0]]


def test_the_reward_of_two_discriminators_by_hand() -> None:
    mean = (sigmoid(1.0) + sigmoid(-0.5)) / 2
    found = reward_of_logits(torch.tensor([[1.0], [-0.5]]))
    assert found.item() == pytest.approx(-math.log(1 - mean), rel=1e-6)


def test_calibrated_rewards_have_bounds() -> None:
    """D lies in [0.269, 0.731], and the reward in [0.313, 1.313]."""
    assert torch.sigmoid(torch.tensor([-1.0, 1.0])).tolist() == pytest.approx([0.26894, 0.73106], abs=1e-5)
    ends = reward_of_logits(torch.tensor([[-1.0, 1.0, 0.0]]))
    assert ends.tolist() == pytest.approx([0.31326, 1.31326, math.log(2)], abs=1e-5)
    assert ends[:2].tolist() == pytest.approx([LOWEST, HIGHEST], rel=1e-6)


def test_more_sure_means_more_reward() -> None:
    logits = torch.linspace(-1, 1, 21).expand(3, -1)
    assert (reward_of_logits(logits).diff() > 0).all()
