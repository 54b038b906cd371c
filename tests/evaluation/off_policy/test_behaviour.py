import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.behaviour import BehaviourSettings, mixture_log_prob
from offline_envs.evaluation.off_policy.behaviour_fit import fit_behaviour

SMALL: dict[str, Any] = {"hidden": (16,), "batch_size": 128, "learning_rate": 1e-2, "max_epochs": 10}


def steps_of(obs: torch.Tensor, actions: torch.Tensor, space: Box | None = None) -> Transitions:
    n = len(obs)
    return Transitions(
        obs=obs,
        actions=actions,
        rewards=torch.zeros(n),
        next_obs=obs,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.arange(0, n, 10),
        action_space=space or Box(-2.0, 2.0, (actions.shape[1],)),
    )


def squashed(n: int) -> tuple[Transitions, torch.Tensor]:
    """Actions 2 tanh(u), u of mean obs and deviation 0.5, as a SAC agent's; and their true log-density."""
    generator = torch.Generator().manual_seed(0)
    obs = torch.randn(n, 1, generator=generator)
    u = obs + 0.5 * torch.randn(n, 1, generator=generator)
    log_normal = torch.distributions.Normal(obs, 0.5).log_prob(u)
    log_change = torch.log(2 * (1 - torch.tanh(u) ** 2))
    return steps_of(obs, 2 * torch.tanh(u)), (log_normal - log_change)[:, 0]


def test_the_fit_comes_near_the_true_density() -> None:
    transitions, true = squashed(2500)
    density = fit_behaviour(transitions, BehaviourSettings(**SMALL))
    found = density.log_prob(transitions.obs, transitions.actions)
    assert float((true - found).mean()) == pytest.approx(0, abs=0.05)
    assert float((true - found).abs().median()) < 0.1
    assert density.holdout_log_prob == pytest.approx(float(true.mean()), abs=0.15)


@pytest.mark.parametrize("squash", [True, False])
def test_the_density_integrates_to_one(squash: bool) -> None:
    """Per unit of the environment's actions: a missing factor of their range would show."""
    transitions, _ = squashed(500)
    density = fit_behaviour(transitions, BehaviourSettings(**{**SMALL, "squash": squash}))
    edge = 2 - 1e-5 if squash else 12.0
    grid = torch.linspace(-edge, edge, 40_001)[:, None]
    p = density.log_prob(torch.zeros(len(grid), 1), grid).exp()
    assert float(torch.trapezoid(p, grid[:, 0])) == pytest.approx(1, abs=0.01)


def test_two_ways_to_act_need_two_components() -> None:
    """Actions near −1 or near 1 at random: one Gaussian between them is far less likely."""
    generator = torch.Generator().manual_seed(1)
    sign = torch.randint(2, (2000, 1), generator=generator) * 2.0 - 1
    transitions = steps_of(torch.zeros(2000, 1), sign + 0.1 * torch.randn(2000, 1, generator=generator))
    one, two = (fit_behaviour(transitions, BehaviourSettings(**{**SMALL, "n_components": n})) for n in (1, 3))
    best = -math.log(2) - math.log(0.1 * math.sqrt(2 * math.pi * math.e))
    assert two.holdout_log_prob == pytest.approx(best, abs=0.15)
    assert one.holdout_log_prob < best - 1


def test_a_mixture_by_hand() -> None:
    """Weights 3/4 and 1/4, means 0 and 2, deviations 1 and 1/2, at x = 1."""
    outputs = torch.tensor([[math.log(3.0), 0.0, 0.0, 2.0, 0.0, math.log(0.5)]])
    expected = 0.75 * math.exp(-0.5) / math.sqrt(2 * math.pi)
    expected += 0.25 * math.exp(-2) / (0.5 * math.sqrt(2 * math.pi))
    found = mixture_log_prob(outputs, torch.tensor([[1.0]])).exp()
    assert float(found) == pytest.approx(expected, rel=0.2)  # the bounds of deviations are soft


def test_the_seed_decides() -> None:
    transitions, _ = squashed(300)
    a, b, c = (fit_behaviour(transitions, BehaviourSettings(**{**SMALL, "seed": seed})) for seed in (1, 1, 2))
    probs = [found.log_prob(transitions.obs, transitions.actions) for found in (a, b, c)]
    assert torch.equal(probs[0], probs[1])
    assert not torch.equal(probs[0], probs[2])


def test_actions_at_their_bounds_are_finite() -> None:
    transitions = steps_of(torch.zeros(100, 1), torch.tensor([[-2.0], [2.0]]).repeat(50, 1))
    density = fit_behaviour(transitions, BehaviourSettings(**SMALL))
    assert bool(density.log_prob(transitions.obs, transitions.actions).isfinite().all())


def test_what_cannot_be_fitted_is_refused() -> None:
    transitions, _ = squashed(20)
    unbounded = Box(-np.inf, np.inf, (1,))
    with pytest.raises(SettingsError, match="squash=True needs a bounded Box"):
        fit_behaviour(steps_of(transitions.obs, transitions.actions, unbounded))
    with pytest.raises(SettingsError, match="at least 2 steps"):
        fit_behaviour(steps_of(transitions.obs[:1], transitions.actions[:1]))


@pytest.mark.parametrize(
    "setting", [{"holdout": 0.0}, {"holdout": 1.0}, {"n_components": 0}, {"hidden": (4, 0)}, {"patience": 0}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(setting))):
        BehaviourSettings(**setting)
