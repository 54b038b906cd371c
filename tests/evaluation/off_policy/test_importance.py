import math

import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap
from offline_envs.evaluation.off_policy.episodes import WeightedEpisodes
from offline_envs.evaluation.off_policy.importance import IMPORTANCE_FORMS, importance_sampling
from tests.evaluation.off_policy.two_states import GAMMA, VALUE, draw_actions, episodes

FEW = Bootstrap(n_resamples=3)


def estimate(actions: torch.Tensor, form: str) -> float:
    return importance_sampling(episodes(actions), form, bootstrap=FEW).value


def test_two_episodes_by_hand() -> None:
    """Actions 1, 1, 0 earn 1, 2, 1 at weights 3/2, 9/4, 9/8; 0, 0, 1 earn 0, 0, 1 at 1/2, 1/4, 3/8."""
    actions = torch.tensor([[1, 1, 0], [0, 0, 1]])
    first, second = 1 + GAMMA * 2 + GAMMA**2 * 1, GAMMA**2 * 1
    expected = {
        "is": (9 / 8 * first + 3 / 8 * second) / 2,
        "pdis": (3 / 2 + GAMMA * 9 / 4 * 2 + GAMMA**2 * (9 / 8 + 3 / 8)) / 2,
        "wis": (9 / 8 * first + 3 / 8 * second) / (12 / 8),
        "wpdis": (3 / 2) / 2 + GAMMA * (9 / 4 * 2) / (10 / 4) + GAMMA**2 * (9 / 8 + 3 / 8) / (12 / 8),
    }
    assert {form: estimate(actions, form) for form in IMPORTANCE_FORMS} == pytest.approx(expected)


def test_it_says_what_it_estimates() -> None:
    found = importance_sampling(episodes(draw_actions(40, 0)))
    assert (found.gamma, found.horizon, found.discounted) == (GAMMA, 3, True)
    assert found.estimates == "discounted by 0.5, over 3 steps"
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert found.effective_sample_size is not None
    assert 1 < found.effective_sample_size < 40


def enumerated(form: str) -> float:
    """Expectation over single episodes: all eight are equally likely."""
    every = torch.cartesian_prod(*[torch.arange(2)] * 3)
    return sum(estimate(actions[None], form) for actions in every) / len(every)


@pytest.mark.parametrize("form", ["is", "pdis"])
def test_plain_forms_are_unbiased_exactly(form: str) -> None:
    assert enumerated(form) == pytest.approx(VALUE)


def test_weighted_forms_are_biased_with_few_episodes() -> None:
    """With one episode the weight cancels: what remains is the behaviour's value, 1/2 + γ + γ²."""
    assert enumerated("wis") == pytest.approx(0.5 + GAMMA + GAMMA**2)
    assert enumerated("wpdis") == pytest.approx(0.5 + GAMMA + GAMMA**2)


@pytest.mark.parametrize("form", list(IMPORTANCE_FORMS))
def test_all_forms_are_right_in_the_mean_over_many_episodes(form: str) -> None:
    """400 estimates of 200 episodes each; their mean must lie within four of its own deviations."""
    found = torch.tensor(
        [float(IMPORTANCE_FORMS[form](episodes(draw_actions(200, seed)))) for seed in range(400)]
    ).double()
    deviation = float(found.std()) / math.sqrt(len(found))
    bias = 0.02 if form.startswith("w") else 0.0  # of the order of one over the number of episodes
    assert abs(float(found.mean()) - VALUE) < 4 * deviation + bias


@pytest.mark.parametrize("form", ["wis", "wpdis"])
def test_weighted_forms_are_consistent_and_vary_less(form: str) -> None:
    assert estimate(draw_actions(200_000, 5), form) == pytest.approx(VALUE, abs=0.02)
    spread = {
        name: torch.tensor(
            [IMPORTANCE_FORMS[name](episodes(draw_actions(50, seed))) for seed in range(200)]
        ).std()
        for name in (form, form.removeprefix("w"))
    }
    assert spread[form] < spread[form.removeprefix("w")]


def test_intervals_cover_about_as_often_as_they_say() -> None:
    """Of 100 intervals of level 0.9 the percentile bootstrap of 100 episodes covers nearly 90."""
    bootstrap = Bootstrap(level=0.9, n_resamples=100)
    intervals = [
        importance_sampling(episodes(draw_actions(100, seed)), "pdis", bootstrap=bootstrap).interval
        for seed in range(100)
    ]
    covered = sum(low < VALUE < high for low, high in filter(None, intervals))
    assert 80 <= covered <= 98


def test_with_the_behaviour_itself_every_form_is_the_mean_return() -> None:
    recorded = episodes(draw_actions(30, 1))
    own = type(recorded)(recorded.rewards, torch.zeros_like(recorded.log_ratios), GAMMA)
    mean = float((recorded.rewards * GAMMA ** torch.arange(3)).sum(1).mean())
    for form in IMPORTANCE_FORMS:
        assert importance_sampling(own, form, bootstrap=FEW).value == pytest.approx(mean)


def test_hopeless_weights_of_large_returns_give_numbers() -> None:
    """Weights of e⁸⁰⁰ and returns of ±90 360, which cancel; NaN would not be valid JSON."""
    sign = torch.where(torch.arange(10) % 2 == 0, 1.0, -1.0).double()[:, None]
    recorded = WeightedEpisodes(sign * torch.full((10, 1000), 90.36), torch.full((10, 1000), 0.8))
    found = importance_sampling(recorded, "is", bootstrap=FEW)
    assert found.interval is not None
    assert all(map(math.isfinite, (found.value, *found.interval)))
    assert abs(found.value) < 1e-6 * math.exp(600)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(SettingsError, match="Unknown form of importance sampling 'snips'"):
        importance_sampling(episodes(draw_actions(2, 0)), "snips")
