from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from offline_envs.dynamics import MEASURES
from offline_envs.errors import SettingsError
from offline_envs.mdp import Step
from offline_envs.methods import Penalize
from offline_envs.planning import Objective
from offline_envs.planning import objective as module
from offline_envs.planning.objective import LOST
from tests.planning.worlds import members_apart, seeded, world


def plans_of(*plans: list[float]) -> Tensor:
    """Plans of one action dimension for one observation, `(1, N, H, 1)`."""
    return torch.tensor(plans)[None, :, :, None]


def beyond_two(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 2


def noisy(obs: Tensor, action: Tensor) -> tuple[Any, Tensor]:
    """Two members 1 apart, with noise; r = s."""
    means = torch.stack([obs + action, obs + action + 1])
    return Normal(means, torch.tensor(0.5)), obs[:, 0]


def test_a_return_is_the_discounted_sum_of_rewards() -> None:
    """By hand: from 1, actions (1, −1) pass 2 and 1, and −4 − γ·1; (−1, 0) pass 0 and 0."""
    found = Objective(world(), propagation="mean", discount=0.5)(
        torch.ones(1, 1), plans_of([1.0, -1.0], [-1.0, 0.0]), seeded()
    )
    assert found.tolist() == [[-4.5, 0.0]]


def test_a_batch_is_evaluated_as_each_observation_alone() -> None:
    objective = Objective(world(), propagation="mean")
    obs, plans = torch.randn(4, 1, generator=seeded()), torch.rand(4, 7, 5, 1, generator=seeded())
    alone = [objective(obs[i : i + 1], plans[i : i + 1], seeded()) for i in range(4)]
    torch.testing.assert_close(objective(obs, plans, seeded()), torch.cat(alone))


def test_the_mean_of_members_is_propagated() -> None:
    """Factors 1, 2 and 4 have the mean 7/3: from 0, (1, 1) earns 0 + 1 and 7/3 + 1."""
    found = Objective(world(members_apart), propagation="mean")(
        torch.zeros(1, 1), plans_of([1.0, 1.0]), seeded()
    )
    assert found.item() == pytest.approx(1 + 7 / 3 + 1)


def test_a_particle_of_ts_infinity_keeps_its_member() -> None:
    """With (1, 1, 1) from 0, a member of factor f earns 1 + (f + 1) + (2f + 1), on average over the three."""
    objective = Objective(world(members_apart), particles=3, propagation="tsinf")
    found = objective(torch.zeros(1, 1), plans_of([1.0, 1.0, 1.0], [0.0, 0.0, 0.0]), seeded())
    assert found[0].tolist() == pytest.approx([3 + 3 * 7 / 3, 0.0])
    one = Objective(world(members_apart), particles=1, propagation="tsinf")
    assert one(torch.zeros(1, 1), plans_of([1.0, 1.0, 1.0]), seeded()).item() == 3 + 3


def test_a_particle_of_ts_1_changes_its_member() -> None:
    """Var of f₁ + (f₁ + f₂) is 5 Var f where each step draws members, and 9 Var f where they are kept."""
    mdp, plan = world(members_apart), plans_of([1.0, 1.0, 1.0]).expand(1, 4000, -1, -1)
    single = Objective(mdp, particles=1, propagation="ts1")(torch.zeros(1, 1), plan, seeded())
    variance = sum((f - 7 / 3) ** 2 for f in (1.0, 2.0, 4.0)) / 3
    assert single.var().item() == pytest.approx(5 * variance, rel=0.1)
    assert single.mean().item() == pytest.approx(3 + 3 * 7 / 3, rel=0.02)


@pytest.mark.parametrize("propagation", ["ts1", "tsinf"])
def test_particles_are_rows_of_the_model_step(propagation: str) -> None:
    """A plain loop over the same rows, with the same random numbers."""
    mdp, particles = world(noisy), 4
    obs, plans = torch.tensor([[1.0], [-2.0]]), torch.rand(2, 3, 5, 1, generator=seeded(1))
    generator, expected = seeded(), torch.zeros(2, 3, particles, dtype=torch.float64)
    rows = [(i, n, p) for i in range(2) for n in range(3) for p in range(particles)]
    kept = torch.tensor([p % 2 for *_, p in rows]) if propagation == "tsinf" else None
    current = torch.stack([obs[i] for i, *_ in rows])
    for t in range(5):
        action = torch.stack([plans[i, n, t] for i, n, _ in rows])
        step = mdp.step(current, action, generator, kept)
        for place, reward in zip(rows, step.reward, strict=True):
            expected[place] += reward.double()
        current = step.next_obs
    found = Objective(mdp, particles, propagation)(obs, plans, seeded())
    torch.testing.assert_close(found, expected.mean(-1))


def test_nothing_is_earned_after_an_end() -> None:
    """(2, 2, −4) ends at 4 after −4 − 16 and earns not the −0 of getting back, nor (3,) its later steps."""
    found = Objective(
        world(termination=beyond_two), propagation="mean", terminal_value=lambda obs: obs[:, 0] + 100
    )(torch.zeros(1, 1), plans_of([2.0, 2.0, -4.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]), seeded())
    assert found.tolist() == [[-20.0, -9.0, -1.0 + 101.0]]


class HaltAbove:
    """Halts where the successor is above a bound, with a reward; or truncates there."""

    def __init__(self, bound: float, reward: float | None) -> None:
        self.bound, self.reward = bound, reward

    def __call__(self, obs: Tensor, action: Tensor, step: Step, prediction: Any, generator: Any) -> Step:
        del obs, action, prediction, generator  # Unused.
        beyond = step.next_obs[:, 0] > self.bound
        if self.reward is None:
            return step._replace(truncated=beyond)
        return step._replace(
            reward=step.reward.masked_fill(beyond, self.reward), terminated=step.terminated | beyond
        )

    def infos(self, step: Step) -> dict[str, Tensor]:
        del step  # Unused.
        return {}


def test_a_halt_earns_its_reward_and_nothing_more() -> None:
    objective = Objective(world(transform=HaltAbove(1.5, -50.0)), propagation="mean", discount=0.5)
    found = objective(torch.zeros(1, 1), plans_of([1.0, 1.0, 0.0], [1.0, 0.0, 0.0]), seeded())
    assert found.tolist() == [[-1.0 - 25.0, -1.75]]


def test_a_truncated_episode_earns_the_value_of_where_it_stopped() -> None:
    """(1, 1, 1) is cut at 2 after −1 − 4/2, and earns γ²·V(2); (0, 0, 0) earns γ³·V(0)."""
    objective = Objective(
        world(transform=HaltAbove(1.5, None)),
        propagation="mean",
        discount=0.5,
        terminal_value=lambda obs: obs[:, 0] + 8,
    )
    found = objective(torch.zeros(1, 1), plans_of([1.0, 1.0, 1.0], [0.0, 0.0, 0.0]), seeded())
    assert found.tolist() == [[-3.0 + 10 / 4, 1.0]]


def test_a_penalty_counts() -> None:
    """Factors 1, 2 and 4 of action 1: the mean is 7/3, and the farthest member 5/3 away."""
    objective = Objective(
        world(members_apart, transform=Penalize(6.0, MEASURES["max_deviation"])), propagation="mean"
    )
    assert objective(torch.zeros(1, 1), plans_of([1.0]), seeded()).item() == pytest.approx(1 - 6 * 5 / 3)


def broken_right_of_two(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Rewards are −10 a step; right of 2 the model gives NaN, which ends an episode with reward −5."""
    after = obs + action
    return torch.where(after > 2, torch.nan, after), torch.full((len(obs),), -10.0)


def test_a_prediction_that_is_not_finite_never_wins() -> None:
    """Ending at once with −5 would be better than three steps of −10."""
    objective = Objective(world(broken_right_of_two), propagation="mean")
    found = objective(torch.zeros(1, 1), plans_of([3.0, 0.0, 0.0], [0.0, 0.0, 0.0]), seeded())
    assert found.tolist() == [[LOST, -30.0]]


def test_plans_are_ranked_by_their_share_of_lost_particles() -> None:
    """Of factors 1, 2 and 4, action 1 loses the last two beyond 1.5, and action 0.5 the last."""

    def broken(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        after, reward = members_apart(obs, action)
        return torch.where(after > 1.5, torch.inf, after), reward

    objective = Objective(world(broken), particles=3)
    found = objective(torch.zeros(1, 1), plans_of([1.0], [0.5], [0.1]), seeded())[0]
    assert found[0] < found[1] < found[2] == pytest.approx(0.1)
    assert found[0].item() == pytest.approx(2 / 3 * LOST)


def test_a_plan_that_is_not_finite_is_worth_nothing() -> None:
    found = Objective(world())(torch.zeros(1, 1), plans_of([0.0, torch.nan], [1.0, 1.0]), seeded())
    assert found[0, 0] == -torch.inf
    assert found[0, 1] == -5.0


def test_a_terminal_value_of_nan_never_wins() -> None:
    objective = Objective(world(), propagation="mean", terminal_value=lambda obs: obs[:, 0] / obs[:, 0])
    found = objective(torch.zeros(1, 1), plans_of([0.0], [1.0]), seeded())
    assert found.tolist() == [[LOST, 0.0]]


def test_large_batches_are_evaluated_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    objective = Objective(world(members_apart), particles=3)
    obs, plans = torch.randn(5, 1, generator=seeded()), torch.rand(5, 4, 3, 1, generator=seeded())
    whole = objective(obs, plans, seeded())
    monkeypatch.setattr(module, "ROWS", 24)
    torch.testing.assert_close(objective(obs, plans, seeded()), whole)


def test_an_unknown_propagation_is_refused() -> None:
    with pytest.raises(SettingsError, match="Unknown propagation 'ts2'"):
        Objective(world(), propagation="ts2")
