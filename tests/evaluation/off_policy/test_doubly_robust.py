import math

import pytest
import torch

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap
from offline_envs.evaluation.off_policy.doubly_robust import (
    DOUBLY_ROBUST_FORMS,
    EpisodeValues,
    doubly_robust,
)
from offline_envs.evaluation.off_policy.episodes import EpisodeGrid
from offline_envs.evaluation.off_policy.importance import importance_sampling
from tests.evaluation.off_policy.two_states import (
    GAMMA,
    STEPS,
    VALUE,
    draw_actions,
    episodes,
    exact_q,
    values,
)
from tests.toy import toy_transitions

FEW = Bootstrap(n_resamples=3)


def some_q(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(STEPS, 2, 2, generator=generator, dtype=torch.float64)


def estimate(actions: torch.Tensor, q: torch.Tensor, form: str) -> float:
    return doubly_robust(episodes(actions), values(actions, q), form, bootstrap=FEW).value


@pytest.mark.parametrize("form", list(DOUBLY_ROBUST_FORMS))
def test_with_the_exact_q_every_episode_gives_the_exact_value(form: str) -> None:
    """Steps are deterministic, so nothing is left for importance sampling to correct."""
    actions = draw_actions(20, 3)
    found = doubly_robust(episodes(actions), values(actions, exact_q()), form)
    assert found.value == pytest.approx(VALUE)
    assert found.interval == pytest.approx((VALUE, VALUE))
    each = [estimate(one[None], exact_q(), form) for one in actions]
    assert each == pytest.approx([VALUE] * 20)


@pytest.mark.parametrize("seed", [0, 1])
def test_dr_is_unbiased_with_any_q(seed: int) -> None:
    """The expectation over single episodes, of which all eight are equally likely."""
    every = torch.cartesian_prod(*[torch.arange(2)] * 3)
    found = [estimate(actions[None], some_q(seed), "dr") for actions in every]
    assert sum(found) / 8 == pytest.approx(VALUE)
    assert max(found) - min(found) > 0.5


def test_dr_follows_the_recursion_of_its_paper() -> None:
    """V_DR(t) = V̂(s_t) + ρ_t (r_t + γ V_DR(t + 1) − Q̂(s_t, a_t)), with a plain loop."""
    actions, q = draw_actions(6, 4), some_q(2)
    recorded, said = episodes(actions), values(actions, q)
    total = 0.0
    for i in range(6):
        value = 0.0
        for t in reversed(range(STEPS)):
            ratio = math.exp(float(recorded.log_ratios[i, t]))
            error = float(recorded.rewards[i, t]) + GAMMA * value - float(said.q[i, t])
            value = float(said.v[i, t]) + ratio * error
        total += value / 6
    assert doubly_robust(recorded, said, bootstrap=FEW).value == pytest.approx(total)


def test_wdr_follows_the_sum_of_its_paper() -> None:
    """Σ_i Σ_t γᵗ w_t r − Σ_i Σ_t γᵗ (w_t Q̂ − w_t−1 V̂), weights by step of sum 1, w_−1 = 1/n."""
    actions, q = draw_actions(6, 4), some_q(2)
    recorded, said = episodes(actions), values(actions, q)
    weights = recorded.log_ratios.cumsum(1).exp()
    weights = weights / weights.sum(0)
    before = torch.cat([torch.full((6, 1), 1 / 6), weights[:, :-1]], dim=1)
    inner = weights * recorded.rewards - (weights * said.q - before * said.v[:, :-1])
    expected = float((inner * GAMMA ** torch.arange(STEPS)).sum())
    assert doubly_robust(recorded, said, "wdr", bootstrap=FEW).value == pytest.approx(expected)


@pytest.mark.parametrize(("form", "plain"), [("dr", "pdis"), ("wdr", "wpdis")])
def test_without_a_q_function_it_is_importance_sampling(form: str, plain: str) -> None:
    actions = draw_actions(9, 0)
    recorded = episodes(actions)
    found = estimate(actions, torch.zeros(STEPS, 2, 2, dtype=torch.float64), form)
    assert found == pytest.approx(importance_sampling(recorded, plain, bootstrap=FEW).value)


def test_wdr_is_consistent() -> None:
    assert estimate(draw_actions(200_000, 6), some_q(0), "wdr") == pytest.approx(VALUE, abs=0.02)


def test_a_good_q_narrows_the_interval() -> None:
    actions = draw_actions(100, 2)
    close = exact_q() + 0.01 * some_q(0)
    widths = []
    for found in (
        doubly_robust(episodes(actions), values(actions, close)),
        importance_sampling(episodes(actions), "pdis"),
    ):
        assert found.interval is not None
        widths.append(found.interval[1] - found.interval[0])
    assert widths[0] < 0.1 * widths[1]


def test_values_are_placed_and_end_with_the_mdp() -> None:
    """Three episodes of three steps; the second terminates, the others are cut and keep a value."""
    toy = toy_transitions()
    terminated = toy.terminated.clone()
    terminated[5] = True
    changed = {**vars(toy), "terminated": terminated}
    transitions = Transitions(**{n: v for n, v in changed.items() if n in Transitions.__dataclass_fields__})
    numbers = torch.arange(9.0)
    after = torch.tensor([102.0, 105.0, 108.0])
    placed = EpisodeValues.of(transitions, 10 + numbers, numbers, after, grid=EpisodeGrid.of(transitions, 4))
    assert placed.q.tolist() == [[10, 11, 12, 0], [13, 14, 15, 0], [16, 17, 18, 0]]
    assert placed.v.tolist() == [[0, 1, 2, 102, 0], [3, 4, 5, 0, 0], [6, 7, 8, 108, 0]]


def test_what_does_not_fit_is_refused() -> None:
    actions = draw_actions(4, 0)
    with pytest.raises(SettingsError, match="Unknown doubly robust estimator 'magic'"):
        estimate(actions, exact_q(), "magic")
    with pytest.raises(SettingsError, match=r"shapes \(4, 3\) and \(4, 4\)"):
        doubly_robust(episodes(actions), values(actions[:2], exact_q()))
