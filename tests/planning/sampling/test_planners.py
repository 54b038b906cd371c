"""What every planner that samples must do, against closed form and brute force."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.planning import CEM, ICEM, MPPI, Objective, RandomShooting, SamplingPlanner
from offline_envs.policies import (
    ActsIn,
    Predictor,
    builds_on,
    check_policy_spec,
    needs_model,
    planners,
    policy_from_spec,
)
from tests.planning.worlds import SPACE, seeded, world

FIRST_ACTION = -8 / 13
"""By Riccati's recursion p ← (1 + p)/(2 + p) from p = 0, in three steps from s = 1: 1/2, 3/5, 8/13."""

KINDS = [CEM, ICEM, MPPI, RandomShooting]
SETTINGS: dict[type[SamplingPlanner], dict[str, Any]] = {
    CEM: {"elites": 5},
    ICEM: {"elites": 5, "colour": 0.0, "iterations": 5},
    MPPI: {"temperature": 0.01, "sigma": 0.3, "smoothing": 0.0},
    RandomShooting: {},
}


def quadratic(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """S' = s + a, r = −s'² − a²."""
    after = obs + action
    return after, -(after[:, 0] ** 2) - action[:, 0] ** 2


def uniform(text: str) -> Predictor:
    return policy_from_spec(text, ActsIn(SPACE))


def planner(kind: type[SamplingPlanner], *, seed: int = 0, **changes: Any) -> SamplingPlanner:
    settings = {"horizon": 3, "propagation": "mean", "candidates": 30, **SETTINGS[kind], **changes}
    return kind(world(quadratic), SPACE, kind.settings_type.from_json(settings), seed=seed)


def error(kind: type[SamplingPlanner], candidates: int) -> float:
    """Root mean square error of the first action over 40 independent plans."""
    actions = planner(kind, candidates=candidates)(torch.ones(40, 1))
    return float(((actions - FIRST_ACTION) ** 2).mean().sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_more_candidates_come_closer_to_the_solution_in_closed_form(kind: type[SamplingPlanner]) -> None:
    few, many = error(kind, 20), error(kind, 1000)
    assert many < 0.7 * few
    assert many < 0.08


def walled(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """S' = s + a, r = s' − 2·a²."""
    after = obs + action
    return after, after[:, 0] - 2 * action[:, 0] ** 2


def beyond_one(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 1


GRID = (-1.0, -0.5, 0.0, 0.5, 1.0)


def brute_force(start: float) -> tuple[tuple[float, ...], float]:
    """The best plan of three grid actions in `walled`, whose episodes end beyond 1, and its return."""

    def value(plan: tuple[float, ...]) -> float:
        s, total = start, 0.0
        for a in plan:
            s += a
            total += s - 2 * a * a
            if s > 1:
                break
        return total

    return max(((plan, value(plan)) for plan in product(GRID, repeat=3)), key=lambda pair: pair[1])


@pytest.mark.parametrize("start", [-1.0, 0.0, 0.75])
def test_the_best_plan_of_a_grid_is_that_of_brute_force(start: float) -> None:
    plan, value = brute_force(start)
    plans = torch.tensor(list(product(GRID, repeat=3)))[None, :, :, None]
    mdp = world(walled, termination=beyond_one)
    found = Objective(mdp, propagation="mean")(torch.tensor([[start]]), plans, seeded())[0]
    assert plans[0, found.argmax(), :, 0].tolist() == list(plan)
    assert found.max().item() == pytest.approx(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [-1.0, 0.0])
def test_no_planner_is_worse_than_the_best_plan_of_a_grid(kind: type[SamplingPlanner], start: float) -> None:
    """Actions are free between the grid's, so the planners' memories can be better."""
    settings = {"horizon": 3, "propagation": "mean", "candidates": 600, **SETTINGS[kind]}
    found = kind(world(walled, termination=beyond_one), SPACE, kind.settings_type.from_json(settings))
    _, memory = found.predict(np.array([start]))
    objective = Objective(found.mdp, propagation="mean")
    assert objective(torch.tensor([[start]]), memory[:, :1], seeded()).item() > brute_force(start)[1] - 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_plans_the_same_and_goes_on(kind: type[SamplingPlanner]) -> None:
    obs = np.ones((3, 1), np.float32)
    first, second, other = planner(kind), planner(kind), planner(kind, seed=1)
    once, state = first.predict(obs)
    np.testing.assert_array_equal(once, second.predict(obs)[0])
    assert not np.array_equal(once, other.predict(obs)[0])
    assert not np.array_equal(once, first.predict(obs)[0])
    assert torch.isfinite(first.predict(obs, state)[1][:, 0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_batch_are_planned_for_their_own_observations(kind: type[SamplingPlanner]) -> None:
    """From 0 and ±1 the solutions are 0 and ∓8/13."""
    actions = planner(kind, candidates=1000)(torch.tensor([[1.0], [0.0], [-1.0]]))
    assert actions.flatten().tolist() == pytest.approx([FIRST_ACTION, 0.0, -FIRST_ACTION], abs=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_actions_between_other_bounds_are_planned_in_their_units(kind: type[SamplingPlanner]) -> None:
    """A world of ten times the actions has ten times the solution, which is cut at the bound −5."""

    def tenfold(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return quadratic(obs, action / 10)

    settings = {"horizon": 3, "propagation": "mean", "candidates": 1000, **SETTINGS[kind]}
    made = kind(world(tenfold), Box(-5.0, 15.0, (1,)), kind.settings_type.from_json(settings))
    assert made(torch.tensor([[1.0], [-1.0]])).flatten().tolist() == pytest.approx([-5.0, 80 / 13], abs=1.6)


@pytest.mark.parametrize("name", ["cem", "icem", "mbop", "mppi", "shooting"])
def test_every_planner_is_made_from_its_text(name: str) -> None:
    where = ActsIn(SPACE, seed=3, mdp=world(quadratic), load=uniform)
    assert needs_model(name)
    assert name in planners()
    made: Any = policy_from_spec(f"{name}:horizon=2,candidates=60,particles=2,prior=uniform", where)
    assert made.settings.horizon == 2
    assert made.generator.initial_seed() == 3
    assert made.prior.share == 0.1
    assert made.predict(np.zeros((2, 1)))[0].shape == (2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cem:horizont=2", "Unknown setting of CEMSettings 'horizont'"),
        ("cem:horizon=2.5", "horizon must be of type int"),
        ("cem:elites=600", "elites must be at most candidates=500, got 600"),
        ("cem:propagation=ts3", "Unknown propagation 'ts3'"),
        ("cem:momentum=1", "momentum"),
        ("mppi:temperature=0", "temperature and sigma must be above 0"),
        ("mppi:smoothing=1", "smoothing"),
        ("icem:keep=2", "keep must lie in"),
        ("icem:colour=-1", "colour must be at least 0"),
        ("icem:std=0", "std must be above 0"),
        ("shooting:candidates=0", "candidates must be at least 1"),
        ("mbop", "give prior="),
        ("mbop:prior=uniform,mixing=1", "mixing"),
        ("cem:prior_share=0.5", "prior= must name a policy"),
        ("cem:prior=uniform,prior_shard=0.5", "Unknown setting of a prior 'prior_shard'"),
        ("cem:prior=uniform,prior_share=2", "share of a prior"),
        ("cem:prior=uniform,prior_std=-1", "deviation of a prior"),
    ],
)
def test_settings_that_are_not_valid_are_refused(text: str, message: str) -> None:
    where = ActsIn(SPACE, mdp=world(quadratic), load=uniform)
    with pytest.raises(SettingsError, match=message):
        policy_from_spec(text, where)


def test_what_a_planner_builds_on_is_known_from_its_text() -> None:
    """Otherwise what is wrong with it shows only once a model is fitted."""
    assert builds_on("cem:prior=policy.zip,horizon=2") == builds_on("mbop:prior=policy.zip") == "policy.zip"
    assert builds_on("mbop") == ""
    assert builds_on("cem:horizon=2") is builds_on("ilqr") is builds_on("uniform") is None
    with pytest.raises(SettingsError, match="give prior="):
        check_policy_spec("mbop:horizon=2")


def test_without_a_model_there_is_no_planner() -> None:
    with pytest.raises(SettingsError, match="CEM plans in a learned model, and none is given"):
        policy_from_spec("cem", ActsIn(SPACE))
    with pytest.raises(SettingsError, match="CEM takes CEMSettings"):
        CEM(world(), SPACE, MPPI.settings_type())
