from typing import Any

import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.fitted_q import (
    FittedQSettings,
    fit_q,
    fitted_q_estimate,
    value_range,
)

GAMMA = 0.8


def rows(obs: Tensor, actions: Tensor, rewards: Tensor, next_obs: Tensor, terminated: Tensor) -> Transitions:
    """Rows that are episodes of one step each."""
    return Transitions(
        obs=obs,
        actions=actions,
        rewards=rewards,
        next_obs=next_obs,
        terminated=terminated,
        episode_starts=torch.arange(len(obs)),
        action_space=Box(-1.0, 1.0, (1,)),
    )


def linear_data(n: int = 400) -> Transitions:
    """s′ = s/2 + a with the reward s + a."""
    generator = torch.Generator().manual_seed(0)
    obs, actions = (2 * torch.rand(n, 1, generator=generator) - 1 for _ in range(2))
    never = torch.zeros(n, dtype=torch.bool)
    return rows(obs, actions, (obs + actions)[:, 0], obs / 2 + actions, never)


def fifth(obs: Tensor) -> Tensor:
    return obs / 5


def test_a_linear_problem_in_closed_form() -> None:
    """For a = s/5, V(s) = c s with c = 6/5 + 7/10 γ c, and Q(s, a) = (1 + γ c / 2) s + (1 + γ c) a."""
    settings = FittedQSettings(
        gamma=GAMMA, gradient_steps=3000, target_every=50, learning_rate=1e-2, hidden=(), batch_size=64
    )
    data = linear_data()
    q = fit_q(data, fifth, settings)
    c = 1.2 / (1 - 0.7 * GAMMA)
    s, a = data.obs[:, 0], data.actions[:, 0]
    exact = (1 + GAMMA * c / 2) * s + (1 + GAMMA * c) * a
    assert float((q(data.obs, data.actions) - exact).abs().max()) < 0.02
    found = fitted_q_estimate(q, data, fifth)
    assert found.value == pytest.approx(c * float(s.mean()), abs=0.01)
    assert (found.gamma, found.horizon, len(found.members)) == (GAMMA, None, 2)
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]


def chain() -> Transitions:
    """States 0, 1 and 2 on a line; action 1 moves to the right and −1 stays; right of 2 the MDP ends.

    A move pays 1, and 10 where it ends; staying pays 0.
    """
    state = torch.arange(3.0).repeat_interleave(2)[:, None]
    action = torch.tensor([[-1.0], [1.0]]).repeat(3, 1)
    moved = action[:, 0] > 0
    ends = moved & (state[:, 0] == 2)
    rewards = moved.float() + 9 * ends.float()
    return rows(state, action, rewards, state + moved[:, None].float(), ends)


@pytest.mark.parametrize("move", [True, False])
def test_a_chain_that_ends(move: bool) -> None:
    """Moving: V(2) = 10, V(1) = 1 + γ 10, V(0) = 1 + γ V(1). Staying: V = 0, and Q of one move is its pay."""
    settings = FittedQSettings(
        gamma=GAMMA,
        gradient_steps=2500,
        target_every=100,
        learning_rate=3e-3,
        hidden=(32, 32),
        batch_size=32,
    )
    data = chain()
    q = fit_q(data, lambda obs: torch.full((len(obs), 1), 1.0 if move else -1.0), settings)
    value = (
        {0: 1 + GAMMA * (1 + GAMMA * 10), 1: 1 + GAMMA * 10, 2: 10.0} if move else {0: 0.0, 1: 0.0, 2: 0.0}
    )
    exact = []
    for state in range(3):
        after = 10.0 if state == 2 else 1 + GAMMA * value[state + 1]
        exact += [GAMMA * value[state], after]
    assert q(data.obs, data.actions).tolist() == pytest.approx(exact, abs=0.3)


def test_the_seed_decides_and_steps_are_told() -> None:
    settings: dict[str, Any] = {"gradient_steps": 5, "hidden": (4,)}
    told: list[int] = []
    data = linear_data(50)
    a = fit_q(data, fifth, FittedQSettings(**settings, seed=1), on_step=told.append)
    b, c = (fit_q(data, fifth, FittedQSettings(**settings, seed=seed)) for seed in (1, 2))
    found = [q(data.obs, data.actions) for q in (a, b, c)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert told == [1, 2, 3, 4, 5]


def test_values_stay_within_what_rewards_allow() -> None:
    assert value_range(torch.tensor([1.0, 3.0]), 0.9) == pytest.approx((0, 30))
    assert value_range(torch.tensor([-2.0, -1.0]), 0.9) == pytest.approx((-20, 0))


@pytest.mark.parametrize(
    "setting", [{"gamma": 1.0}, {"gamma": 0.0}, {"gradient_steps": 0}, {"hidden": (0,)}, {"n_critics": 0}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(setting))):
        FittedQSettings(**setting)
