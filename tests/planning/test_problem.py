"""Trajectories on the mean model earn what `Objective` says, and gradients pass through the learned MDP."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from torch import Tensor

from offline_envs.dynamics import MEASURES, EnsembleDynamics, EnsembleSettings, MaskedModel
from offline_envs.errors import SettingsError
from offline_envs.mdp import Guard, Known, LearnedMDP, Members
from offline_envs.methods import Penalize
from offline_envs.planning import ILQR, GradientPlanner, Objective, Problem, mean_model, roll_out
from offline_envs.planning.objective import LOST
from offline_envs.sb3 import SB3ActorCritic, SB3VecEnv
from offline_envs.tasks import never
from tests.dynamics.own_model import LinearModel
from tests.planning.test_objective import HaltAbove, beyond_two
from tests.planning.worlds import SPACE, members_apart, seeded, world
from tests.toy import toy_options


def problem(mdp: LearnedMDP, **parts: Any) -> Problem:
    high = torch.full((mdp.members.model.action_dim,), 5.0)
    return Problem(mean_model(mdp), -high, high, **parts)


WORLDS: dict[str, LearnedMDP] = {
    "plain": world(),
    "members": world(members_apart),
    "terminated": world(termination=beyond_two),
    "halted": world(transform=HaltAbove(1.5, -50.0)),
    "truncated": world(transform=HaltAbove(1.5, None)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_plan_is_worth_what_the_objective_says(name: str) -> None:
    mdp, plans = WORLDS[name], 2 * torch.rand(1, 30, 4, 1, generator=seeded())
    parts: dict[str, Any] = {"discount": 0.5, "terminal_value": lambda obs: obs[:, 0] + 8}
    expected = Objective(mdp, propagation="mean", **parts)(torch.zeros(1, 1), plans, seeded())
    found = roll_out(problem(mdp, **parts), torch.zeros(30, 1), lambda t, _: plans[0, :, t], 4)
    torch.testing.assert_close(found.value, expected[0])
    assert name in ("plain", "members") or found.length.min() < 4


def test_actions_are_clipped_and_what_explodes_is_lost() -> None:
    mdp = world(guard=Guard(torch.full((2,), -40.0), torch.full((2,), 40.0), torch.tensor(-1.0)))
    found = roll_out(problem(mdp), torch.zeros(2, 1), lambda t, _: torch.tensor([[1.0], [1e6]]), 2)
    assert found.action[:, 1].tolist() == [[5.0], [5.0]]
    assert found.value.tolist() == [-5.0, LOST]
    assert found.stop.isfinite().all()


def ensemble() -> EnsembleDynamics:
    made = EnsembleDynamics(2, 1, settings=EnsembleSettings(3, 2, (16, 16)), seed=1)
    return made.eval().requires_grad_(False)


def squared(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    return -(next_obs**2).sum(-1) - action[:, 0] ** 2


def learned(**parts: Any) -> LearnedMDP:
    far = Guard(torch.full((3,), -1e6), torch.full((3,), 1e6), torch.tensor(-5.0))
    return LearnedMDP(
        **{"members": Members.of(ensemble(), "all"), "termination": never, "guard": far, **parts}
    )


MDPS: dict[str, LearnedMDP] = {
    "learned": learned(),
    "penalised": learned(transform=Penalize(2.0, MEASURES["max_std"])),
    "known": learned(members=Members.of(MaskedModel(ensemble(), [0]), "all"), known=Known(reward=squared)),
}


@pytest.mark.parametrize("name", MDPS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """Central differences of a float32 model, so a hundredth is close."""
    mdp = MDPS[name]
    plan = torch.rand(1, 4, 1, generator=seeded()).requires_grad_()
    obs = torch.tensor([[0.3, -0.5]])

    def value(plan: Tensor) -> Tensor:
        return roll_out(problem(mdp), obs.expand(len(plan), -1), lambda t, _: plan[:, t], 4).value

    (found,) = torch.autograd.grad(value(plan).sum(), plan)
    nudge = 1e-2 * torch.eye(4)[:, :, None]
    with torch.no_grad():
        expected = (value(plan + nudge) - value(plan - nudge)) / 2e-2
        objective = Objective(mdp, propagation="mean")(obs, plan[None], seeded())
        assert value(plan).item() == pytest.approx(objective.item(), rel=1e-5)
    torch.testing.assert_close(found[0, :, 0], expected.float(), rtol=2e-2, atol=2e-3)


def test_a_model_without_gradients_is_refused() -> None:
    mdp = world(model=LinearModel(torch.zeros(2, 2), 1))
    with pytest.raises(SettingsError, match="LinearModel has no predict_with_gradients"):
        roll_out(problem(mdp), torch.zeros(1, 1), lambda t, obs: obs, 1)


@pytest.mark.parametrize("kind", [ILQR, GradientPlanner])
def test_a_terminal_value_without_gradients_is_refused(kind: Any) -> None:
    planner = kind(world(), SPACE, terminal_value=lambda obs: obs.detach()[:, 0])
    with pytest.raises(SettingsError, match=f"{kind.__name__} follows derivatives, and terminal_value gives"):
        planner.predict(np.zeros((1, 1)))


def test_the_smooth_value_of_an_agents_critics_has_gradients() -> None:
    envs = gym.make_vec("LearnedModel-v0", 1, **toy_options())
    agent = SAC("MlpPolicy", SB3VecEnv(envs), policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")
    critic, obs = SB3ActorCritic(agent), torch.rand(3, 2, generator=seeded(), requires_grad=True)
    value = critic.smooth_state_value(obs)
    assert torch.equal(value.detach(), critic.state_value(obs))
    assert not critic.state_value(obs).requires_grad
    assert torch.autograd.grad(value.sum(), obs)[0].any()
