from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.planning import CEM, MBOP, CEMSettings, MBOPSettings, Prior, weighted_mean
from offline_envs.planning.sampling.prior import followed
from tests.planning.worlds import SPACE, seeded, world

BOUNDS = (torch.tensor([-1.0]), torch.tensor([1.0]))


def halving(obs: Tensor) -> Tensor:
    """Goes half of the way to 0."""
    return -obs / 2


def follow(prior: Prior, obs: Tensor, n: int = 1, last: float = 0.0, **options: Any) -> Tensor:
    plan = torch.full((len(obs), 3, 1), last)
    return followed(prior, options.pop("mdp", world()), obs, n, plan, BOUNDS, seeded(), **options)


def test_a_policy_answers_to_the_states_that_its_actions_lead_to() -> None:
    """From 1: −1/2, −1/4, −1/8."""
    plans = follow(Prior(halving, std=0.0), torch.tensor([[1.0], [0.0]]), n=2)
    assert plans[..., 0].tolist() == [[[-0.5, -0.25, -0.125]] * 2, [[0.0] * 3] * 2]


def test_the_last_plan_is_mixed_in() -> None:
    """With β = 1/2 and the last plan 1: (−1/2 + 1)/2 = 1/4, then from 5/4 (−5/8 + 1)/2, then from 23/16."""
    plans = follow(Prior(halving, std=0.0), torch.ones(1, 1), last=1.0, mixing=0.5)
    assert plans.flatten().tolist() == [0.25, 0.1875, (1 - 23 / 32) / 2]


def test_noise_is_added_within_the_bounds() -> None:
    plans = follow(Prior(halving, std=0.5), torch.ones(1, 1), n=4000)
    assert plans.abs().max() <= 1.0
    assert plans[0, :, 0].median().item() == pytest.approx(-0.5, abs=0.03)
    assert plans[0, :, 0].std().item() > 0.3


def test_a_state_stays_where_its_episode_ends() -> None:
    def below_six_tenths(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        del obs, action  # Unused.
        return next_obs[:, 0] < 0.6

    ending = world(termination=below_six_tenths)
    assert follow(Prior(halving, std=0.0), torch.ones(1, 1), mdp=ending).flatten().tolist() == [-0.5] * 3


def test_proposals_are_candidates() -> None:
    """From 1 the policy's own first action is optimal, which few samples of a narrow range miss."""

    def leaping(obs: Tensor) -> Tensor:
        return -obs

    settings = CEMSettings(horizon=3, candidates=10, elites=1, iterations=1, momentum=0.0, propagation="mean")
    with_prior = CEM(world(), SPACE, settings, prior=Prior(leaping, std=0.0))
    assert with_prior(torch.tensor([[0.9], [0.8]])).flatten().tolist() == pytest.approx([-0.9, -0.8])
    without = CEM(world(), SPACE, settings)
    assert (without(torch.tensor([[0.9]])) + 0.9).abs().item() > 1e-3


def test_mbop_averages_what_the_policy_does() -> None:
    settings = MBOPSettings(horizon=3, candidates=50, propagation="mean", mixing=0.2, temperature=0.5)
    obs, prior = torch.tensor([[1.0], [-0.5]]), Prior(halving, std=0.3)
    planner = MBOP(world(), SPACE, settings, prior=prior)
    plans = followed(prior, world(), obs, 50, torch.zeros(2, 3, 1), BOUNDS, seeded(), mixing=0.2)
    values = planner.values(obs, plans)
    torch.testing.assert_close(planner(obs), weighted_mean(plans, values, 0.5)[:, 0])
