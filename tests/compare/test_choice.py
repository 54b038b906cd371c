import itertools
import math

import pytest

from offline_envs.compare.choice import (
    ReturnRange,
    choices,
    correlation_by_chance,
    regret_at,
    regret_of_a_draw,
    rule_scores,
    torel_regret,
    verdict,
)
from offline_envs.evaluation.off_policy import Estimate

RETURNS = ReturnRange(worst=-10.0, best=90.0)


def estimate(value: float, *members: float) -> Estimate:
    return Estimate(value, None, 1.0, 10, members=members)


def test_torel_by_hand() -> None:
    """The median of 20, 40 and 90 is 40: (90 − 40) / (90 + 10); beyond the best it is negative."""
    assert torel_regret(estimate(50, 90, 20, 40), RETURNS) == pytest.approx(0.5)
    assert torel_regret(estimate(0, 140.0), RETURNS) == pytest.approx(-0.5)


def test_rules_on_the_members_of_a_model() -> None:
    scores = rule_scores({"model": estimate(50, 90, 20, 40), "fqe": estimate(7)}, RETURNS)
    assert scores == pytest.approx({"model": 50, "fqe": 7, "lower_bound": 20, "torel": -0.5})
    assert rule_scores({"fqe": estimate(7)}, RETURNS) == {"fqe": 7}


def test_a_choice_beside_the_truth() -> None:
    """It ranks d, b, c, a, and the truth c, b, d, a: Σ d² = 2² + 0 + 2² + 0, so 1 − 6·8 / (4·15) = 0.2."""
    (found,) = choices(
        {n: {"fqe": estimate(v)} for n, v in {"a": 1.0, "b": 3.0, "c": 2.0, "d": 9.0}.items()},
        {"a": 10.0, "b": 30.0, "c": 40.0, "d": 20.0},
        RETURNS,
    )
    assert (found.rule, found.picked, found.real_return) == ("fqe", "d", 20.0)
    assert found.regrets == {1: 20.0}  # with four policies, the best of five says nothing
    assert found.correlation == pytest.approx(0.2)


def test_regret_at_k() -> None:
    order = [20.0, 30.0, 40.0, 10.0]
    assert [regret_at(k, order, 40.0) for k in (1, 2, 3, 5)] == [20, 10, 0, 0]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_the_regret_of_a_draw_is_the_mean_over_all_draws(k: int) -> None:
    real = [5.0, -1.0, 3.0, 8.0]
    draws = list(itertools.combinations(real, min(k, 4)))
    assert regret_of_a_draw(k, real) == pytest.approx(8 - sum(map(max, draws)) / len(draws))


def test_what_is_not_known_is_left_out() -> None:
    """B has no real return and c no estimate: one pair is left, of which nothing follows."""
    found = choices(
        {"a": {"is": estimate(1.0)}, "b": {"is": estimate(2.0)}, "c": {}},
        {"a": 5.0, "b": None, "c": 9.0},
        RETURNS,
    )[0]
    assert (found.picked, found.real_return, found.regrets, found.correlation) == ("b", None, {}, None)
    assert found.scores == {"a": 1.0, "b": 2.0, "c": None}


def test_an_estimate_that_is_not_a_number_is_never_picked() -> None:
    scores = {"a": math.nan, "b": -5.0, "c": math.inf}
    found = choices({n: {"is": estimate(v)} for n, v in scores.items()}, dict.fromkeys("abc", 1.0), RETURNS)
    assert found[0].picked == "b"


def test_tiny_weights_still_rank() -> None:
    """Importance sampling of long episodes gives numbers that float32 takes for 0."""
    scores = {"a": 1e-200, "b": 1e-190, "c": 0.0}
    truth = {"a": 2.0, "b": 3.0, "c": 1.0}
    found = choices({n: {"is": estimate(v)} for n, v in scores.items()}, truth, RETURNS)
    assert found[0].correlation == pytest.approx(1)


def test_the_verdict_names_the_rules_that_beat_a_draw() -> None:
    truth = {"a": 0.0, "b": 10.0, "c": 20.0}
    good = {n: {"fqe": estimate(v), "is": estimate(-v)} for n, v in {"a": 1.0, "b": 2.0, "c": 3.0}.items()}
    text = verdict(choices(good, truth, RETURNS), list(truth.values()))
    assert text.startswith("Better than a draw (mean regret 10): fqe;")
    assert "nearly any rank correlation can be chance" in text
    bad = {n: {"is": each["is"]} for n, each in good.items()}
    assert verdict(choices(bad, truth, RETURNS), list(truth.values())).startswith(
        "No rule chose better than a draw, whose mean regret is 10"
    )
    assert "nothing can be said" in verdict([], [1.0])


def test_correlations_of_few_policies_can_be_chance() -> None:
    assert correlation_by_chance(4) is None
    assert correlation_by_chance(10) == pytest.approx(0.653, abs=0.001)
    many = {str(n): float(n) for n in range(10)}
    found = choices({n: {"fqe": estimate(v)} for n, v in many.items()}, dict(many), RETURNS)
    assert found[0].regrets == {1: 0.0, 5: 0.0}
    assert "within ±0.65 can be chance" in verdict(found, list(many.values()))
