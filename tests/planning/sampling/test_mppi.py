from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.planning import MPPI, MPPISettings, weighted_mean
from offline_envs.planning.objective import LOST
from offline_envs.planning.sampling.mppi import smoothed
from tests.planning.worlds import SPACE, world


class Spied(MPPI):
    def values(self, obs: Tensor, plans: Tensor) -> Tensor:
        self.candidates = plans
        del obs  # Unused.
        return plans[:, :, 0, 0].double()


@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_sigma_is_the_deviation_of_the_samples(sigma: float) -> None:
    settings: Any = {"horizon": 2, "candidates": 4000, "iterations": 1, "smoothing": 0.0}
    planner = Spied(world(), SPACE, MPPISettings(sigma=sigma, **settings))
    planner(torch.zeros(1, 1))
    assert planner.candidates.std().item() == pytest.approx(sigma, rel=0.05)


def test_weights_are_exponentiated_returns() -> None:
    """Returns 0 and 2·ln 3 at temperature 2 weigh 1 and 3."""
    plans = torch.tensor([[[[0.0]], [[1.0]]]])
    values = torch.tensor([[0.0, 2 * torch.tensor(3.0).log().item()]], dtype=torch.float64)
    assert weighted_mean(plans, values, 2.0).item() == pytest.approx(0.75)
    assert weighted_mean(plans, values, 1e-3).item() == 1.0
    assert weighted_mean(plans, values, 1e9).item() == pytest.approx(0.5)


def test_lost_plans_have_no_weight_unless_all_are() -> None:
    plans = torch.tensor([[[[0.0]], [[1.0]]]])
    assert weighted_mean(plans, torch.tensor([[LOST, -50.0]]).double(), 1.0).item() == 1.0
    assert weighted_mean(plans, torch.tensor([[LOST, LOST]]).double(), 1.0).item() == 0.5


def test_smooth_noise_follows_its_recursion() -> None:
    """U = 1, 0, 4 with a share of 0.5: 0.5, 0.25, 2.125."""
    noise = torch.tensor([1.0, 0.0, 4.0]).view(1, 1, 3, 1)
    assert smoothed(noise, 0.5).flatten().tolist() == [0.5, 0.25, 2.125]
    assert torch.equal(smoothed(noise, 0.0), noise)
