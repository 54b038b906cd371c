import warnings

import pytest
import torch

from offline_envs.methods.halt_counter import CHECK_EVERY, HaltCounter, TruncationCounter


def mask(*rows: int) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.bool)


def test_counts_by_hand() -> None:
    tally = HaltCounter(3)
    tally.step(mask(1, 1, 1), mask(1, 1, 1))  # nothing runs before a reset
    assert (tally.n_steps, tally.n_episodes, tally.n_halted) == (0, 0, 0)
    tally.reset()
    tally.step(mask(0, 0, 1), mask(0, 1, 1))
    tally.step(mask(0, 1, 1), mask(0, 1, 1))  # rows 1 and 2 are over
    assert (tally.n_steps, tally.n_episodes, tally.n_halted) == (4, 2, 1)
    tally.reset(mask(1, 1, 0))  # cuts row 0 in its episode
    assert tally.n_episodes == 3
    assert tally.rate == pytest.approx(1 / 3)
    tally.reset()  # nothing was stepped in between
    assert tally.n_episodes == 3


def play(tally: HaltCounter, n_steps: int, *, halt: bool, last: int = 1) -> None:
    """Step a row whose every `last`-th step ends its episode, by a halt or not."""
    for i in range(n_steps):
        if i % last == 0:
            tally.reset()
        end = mask((i + 1) % last == 0)
        tally.step(end & halt, end)


@pytest.mark.parametrize(
    ("halt", "message"),
    [
        (True, r"100 of the first 100 .* at 2 steps an episode: almost every episode .* Raise the threshold"),
        (False, r"0 of the first 100 .* at 2 steps an episode: almost nothing .* Lower the threshold"),
    ],
)
def test_a_threshold_that_never_or_always_halts_is_pointed_out_once(halt: bool, message: str) -> None:
    tally = HaltCounter(1)
    with pytest.warns(UserWarning, match=message) as caught:
        play(tally, 1000, halt=halt, last=2)
    assert len(caught) == 1


def test_nothing_is_said_of_a_threshold_that_halts_sometimes() -> None:
    tally = HaltCounter(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(tally, 50, halt=True)
        play(tally, 50 + 2 * CHECK_EVERY, halt=False)
    assert tally.rate == pytest.approx(50 / 300)


def test_halts_that_come_before_other_episodes_are_over_are_not_taken_for_all() -> None:
    """Of 500 rows, 200 are halted at the first step, and the others only when all were stepped 300 times."""
    tally = HaltCounter(500)
    tally.reset()
    early = torch.arange(500) < 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tally.step(early, early)
        for _ in range(298):
            tally.step(torch.zeros_like(early), torch.zeros_like(early))
        tally.step(torch.zeros_like(early), ~early)
    assert (tally.n_episodes, tally.n_halted) == (500, 200)


def test_rows_that_halt_again_and_again_do_not_stand_for_the_others() -> None:
    tally = HaltCounter(50)
    tally.reset()
    always = torch.arange(50) < 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(CHECK_EVERY):
            tally.step(always, always)
            tally.reset(always)
    assert (tally.n_episodes, tally.n_halted, tally.rate) == (500, 500, 1.0)


def test_cut_episodes_are_no_matter_unless_they_are_hardly_begun() -> None:
    """Where the horizon is the task's, a threshold that cuts every episode is what is wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(TruncationCounter(1), 1000, halt=True, last=2)
        play(TruncationCounter(1), 1000, halt=False, last=2)
    with pytest.warns(UserWarning, match=r"100 of the first 100 episodes were truncated, at 1 steps"):
        play(TruncationCounter(1), 1000, halt=True)


def test_too_few_episodes_are_not_judged() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(HaltCounter(1), 990, halt=True, last=10)
