import warnings

import pytest
import torch
from torch import Tensor

from offline_envs.methods.filter_counter import FilterCounter
from offline_envs.methods.halt_counter import CHECK_EVERY
from tests.methods.rows import EXPLODED, four_rows


def count(counter: FilterCounter, dynamics_reward: list[float], ended: Tensor) -> None:
    """Count a step and restart the rows that it ended."""
    counter.count(four_rows()._replace(extras={"dynamics_reward": torch.tensor(dynamics_reward)}), ended)
    counter.look()
    counter.reset(ended)


def end_at_once(counter: FilterCounter) -> None:
    """Episodes of one step each."""
    row = torch.tensor([True])
    counter.reset()
    for _ in range(CHECK_EVERY):
        counter.step(row, row)
        counter.reset()


def test_rows_below_the_threshold_count_unless_they_exploded() -> None:
    """Of 0.5, 0.7, 0.5 and 0.7, two are below 0.6, and the second of these exploded."""
    counter = FilterCounter(4, torch.device("cpu"), 0.6)
    counter.reset()
    count(counter, [0.5, 0.7, 0.5, 0.7], torch.tensor([True, False, True, True]))
    assert EXPLODED.tolist() == [False, False, True, True]
    assert (counter.n_halted, counter.n_episodes, counter.n_steps) == (1, 3, 4)


def test_it_warns_where_hardly_a_step_passes() -> None:
    everyone = torch.ones(4, dtype=torch.bool)
    counter = FilterCounter(4, torch.device("cpu"), 0.6)
    counter.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(CHECK_EVERY):  # half of the rows exploded: they are not the filter's
            count(counter, [0.4] * 4, everyone)
    with pytest.warns(UserWarning, match=r"ended by the filter, at 1 steps .* Lower min_dynamics_reward"):
        end_at_once(FilterCounter(1, torch.device("cpu"), 0.6))
