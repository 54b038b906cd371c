import torch

from offline_envs.diagnose.base import Advice
from offline_envs.diagnose.horizon import HorizonReport
from offline_envs.diagnose.horizon.open_loop import ALL_GROUP, STILL, Growth, OpenLoopError


def error(actions: str, n: list[int], trusted: int, by_most: int, sampled: int) -> OpenLoopError:
    """An error that is judged over that many episodes at each step."""
    nothing = torch.zeros(len(n))
    curves = {(STILL, ALL_GROUP): Growth(nothing, nothing, nothing, torch.tensor(n))}
    return OpenLoopError(actions, curves, trusted, by_most, sampled)


def advice(*errors: OpenLoopError) -> Advice:
    (found,) = HorizonReport(errors, None, 30, train_horizon=2).advice()
    return found


N = [30, 30, 30, 20]


def test_advice_names_the_weaker_of_two_horizons() -> None:
    horizon = advice(error("dataset actions", N, 4, 3, 4), error("policy actions", N, 3, 1, 2))
    assert (horizon.topic, horizon.value, horizon.warning) == ("horizon", "up to 1", False)
    assert "policy actions up to step 3 in half of the episodes, up to step 1 in nine of ten" in horizon.why
    assert "dataset actions up to step 4 (the last judged) in half" in horizon.why


def test_a_short_or_noisy_horizon_is_a_warning() -> None:
    none = advice(error("dataset actions", N, 0, 0, 0))
    assert none.value.startswith("none")
    assert none.warning
    one = advice(error("dataset actions", N, 3, 0, 3))
    assert one.value.startswith("1")
    assert one.warning
    noisy = advice(error("dataset actions", N, 3, 2, 1))
    assert (noisy.value, noisy.warning) == ("up to 2, but noisy", True)


def test_a_horizon_that_could_not_be_judged_is_not_called_bad() -> None:
    few = HorizonReport((error("dataset actions", [9, 9], 0, 0, 0),), None, 9, train_horizon=2)
    assert few.errors[0].judged == 0
    (horizon,) = few.advice()
    assert (horizon.value, horizon.warning) == ("unknown: fewer than 20 episodes", False)
    assert [("only 9 were followed" in note) for note in few.notes] == [True]
    assert HorizonReport(few.errors, None, 20, train_horizon=2).notes == ()


def test_a_horizon_that_ends_for_lack_of_episodes_is_marked() -> None:
    short = error("dataset actions", [30, 20, 19, 20], 2, 1, 2)
    assert short.judged == 2
    assert advice(short).figures == (
        "accurate in 9 of 10 episodes to step 1, in half to 2 (the last judged), "
        "with noise to 2 (the last judged)"
    )
