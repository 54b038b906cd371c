import math

import pytest
import torch

from offline_envs.consistency import binary_cross_entropy


def test_by_hand() -> None:
    """D is 3/4 and 1/2 on recorded steps, and 1/4 on the model's."""
    logit = math.log(3)
    found = binary_cross_entropy(torch.tensor([logit, 0.0]), torch.tensor([-logit]))
    expected = -((math.log(0.75) + math.log(0.5)) / 2 + math.log(0.75)) / 2
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_one_that_knows_nothing() -> None:
    assert binary_cross_entropy(torch.zeros(3), torch.zeros(5)).item() == pytest.approx(math.log(2))


def test_a_sure_mistake_costs_its_logit_and_stays_finite() -> None:
    assert binary_cross_entropy(torch.tensor([-1e4]), torch.tensor([-1e4])).item() == pytest.approx(5e3)


def test_the_best_logit_is_the_logarithm_of_the_ratio_of_densities() -> None:
    """Three of four recorded steps and one of four of the model's look alike: D = 3/4 / (3/4 + 1/4)."""
    logit = torch.zeros(2, requires_grad=True)  # of the two looks
    of_data, of_model = logit[[0, 0, 0, 1]], logit[[0, 1, 1, 1]]
    torch.autograd.backward(binary_cross_entropy(of_data, of_model))
    assert logit.grad is not None
    assert logit.grad[0] < 0 < logit.grad[1]  # towards more, and towards less
    best = torch.tensor([math.log(3), -math.log(3)], requires_grad=True)
    torch.autograd.backward(binary_cross_entropy(best[[0, 0, 0, 1]], best[[0, 1, 1, 1]]))
    assert best.grad is not None
    assert best.grad.abs().max().item() == pytest.approx(0, abs=1e-7)
