import math
from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.planning import CEM, CEMSettings
from offline_envs.planning.sampling.cem import cut_normal
from tests.planning.worlds import SPACE, seeded, world


class Spied(CEM):
    """Keeps the candidates of every iteration, and values them by a function of the plan."""

    def values(self, obs: Tensor, plans: Tensor) -> Tensor:
        self.candidates: list[Tensor] = [*getattr(self, "candidates", []), plans]
        del obs  # Unused.
        return plans[:, :, 0, 0].double()


def spied(**settings: Any) -> Spied:
    return Spied(world(), SPACE, CEMSettings(**{"horizon": 2, "candidates": 2000, "elites": 20, **settings}))


def test_the_first_samples_are_cut_normal_around_the_plan() -> None:
    """Mean 0 and variance 2²/16; a normal cut at two deviations has 0.88 of its deviation."""
    planner = spied(iterations=1)
    planner(torch.zeros(1, 1))
    samples = planner.candidates[0]
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    expected = 0.5 * math.sqrt(1 - 4 * density / math.erf(2 / math.sqrt(2)))
    assert samples.mean().item() == pytest.approx(0.0, abs=0.03)
    assert samples.std().item() == pytest.approx(expected, rel=0.03)
    assert samples.abs().max() <= 1.0


def test_deviations_are_cut_near_a_bound() -> None:
    """Around 0.8 the deviation is at most 0.1, so nothing lies below 0.6."""
    planner = spied(iterations=1)
    planner.improve(torch.zeros(1, 1), torch.full((1, 1, 2, 1), 0.8))
    assert planner.candidates[0].min() >= 0.6
    assert planner.candidates[0].max() <= 1.0


def test_mean_and_variance_are_those_of_the_elites() -> None:
    planner = spied(iterations=2, momentum=0.25)
    action = planner(torch.zeros(1, 1))
    first, second = planner.candidates
    elites = first[0, first[0, :, 0, 0].topk(20).indices, :, 0]
    mean, variance = 0.75 * elites.mean(0), 0.75 * elites.var(0, correction=0) + 0.25 * 0.25
    assert second[0, :, 1, 0].mean().item() == pytest.approx(mean[1].item(), abs=0.03)
    assert second[0, :, 1, 0].std().item() == pytest.approx(0.88 * variance[1].sqrt().item(), rel=0.05)
    last = second[0, second[0, :, 0, 0].topk(20).indices, 0, 0].mean()
    assert action.item() == pytest.approx((0.25 * mean[0] + 0.75 * last).item(), abs=1e-6)


def test_a_narrow_distribution_is_not_refined_further() -> None:
    planner = spied(iterations=50, momentum=0.0)
    planner(torch.zeros(2, 1))
    assert 2 < len(planner.candidates) < 50


def test_cut_normal_numbers_are_quantiles() -> None:
    uniform = torch.rand(20_000, generator=seeded())
    numbers = cut_normal(uniform)
    assert numbers.abs().max() <= 2.0
    inside = math.erf(1 / math.sqrt(2)) / math.erf(2 / math.sqrt(2))
    assert (numbers.abs() < 1).float().mean().item() == pytest.approx(inside, abs=0.01)
    assert cut_normal(torch.tensor(0.5)).item() == 0.0
