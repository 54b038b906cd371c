"""The arrays are cut into transitions by the rule that d3rlpy documents, written here as a plain loop."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from offline_envs.data import Transitions, d3rlpy_arrays
from tests.toy import toy_transitions

Arrays = dict[str, NDArray[np.float32]]


class Row(NamedTuple):
    obs: list[float]
    action: list[float]
    reward: float
    next_obs: list[float] | None
    terminal: bool


def rows_of_d3rlpy(arrays: Arrays) -> list[Row]:
    """Transitions that d3rlpy draws: the next row is the successor, an unterminated last row has none."""
    rows, start = [], 0
    for end in (np.flatnonzero((arrays["terminals"] + arrays["timeouts"]) > 0) + 1).tolist():
        for i in range(start, end):
            last = i == end - 1
            if last and not arrays["terminals"][i]:
                continue
            successor = None if last else arrays["observations"][i + 1].tolist()
            step = (arrays["observations"][i].tolist(), arrays["actions"][i].tolist())
            rows.append(Row(*step, float(arrays["rewards"][i]), successor, last))
        start = end
    return rows


def rows_of(transitions: Transitions) -> list[Row]:
    return [
        Row(
            transitions.obs[i].tolist(),
            transitions.actions[i].tolist(),
            float(transitions.rewards[i]),
            None if transitions.terminated[i] else transitions.next_obs[i].tolist(),
            bool(transitions.terminated[i]),
        )
        for i in range(len(transitions))
    ]


def with_ends(*rows: int) -> Transitions:
    """The toy's three episodes of three steps, some of which terminate."""
    toy = toy_transitions()
    terminated = torch.zeros(len(toy), dtype=torch.bool)
    terminated[list(rows)] = True
    return dataclasses.replace(toy, terminated=terminated)


@pytest.mark.parametrize("terminated", [(), (2,), (5,), (2, 8), (2, 5, 8)])
def test_d3rlpy_draws_exactly_the_transitions_of_the_dataset(terminated: tuple[int, ...]) -> None:
    """A row too few loses the steps before every time limit; one too many joins two episodes."""
    transitions = with_ends(*terminated)
    arrays = d3rlpy_arrays(transitions)
    assert rows_of_d3rlpy(arrays) == rows_of(transitions)
    n_cut = 3 - len(terminated)
    assert {name: values.shape[0] for name, values in arrays.items()} == dict.fromkeys(
        ("observations", "actions", "rewards", "terminals", "timeouts"), 9 + n_cut
    )
    assert {values.dtype for values in arrays.values()} == {np.dtype(np.float32)}
    assert not (arrays["terminals"] * arrays["timeouts"]).any()


def test_no_action_is_invented_where_the_next_one_is_learned_from() -> None:
    transitions = with_ends(5)
    arrays = d3rlpy_arrays(transitions, for_next_actions=True)
    assert arrays["observations"].shape == (9, 2)
    assert arrays["timeouts"].nonzero()[0].tolist() == [2, 8]
    kept = [row for i, row in enumerate(rows_of(transitions)) if i not in (2, 8)]
    assert rows_of_d3rlpy(arrays) == kept


def test_single_steps_keep_their_successors() -> None:
    transitions = dataclasses.replace(with_ends(4), episode_starts=torch.arange(9))
    assert rows_of_d3rlpy(d3rlpy_arrays(transitions)) == rows_of(transitions)


def test_the_dataset_is_not_touched() -> None:
    transitions = with_ends(5)
    before = transitions.fingerprint
    d3rlpy_arrays(transitions)["observations"][:] = -1
    d3rlpy_arrays(transitions, for_next_actions=True)["rewards"][:] = -1
    assert dataclasses.replace(transitions).fingerprint == before


def test_transitions_give_themselves_this_form() -> None:
    transitions = with_ends(2, 8)
    for next_actions in (False, True):
        own = transitions.to_d3rlpy(for_next_actions=next_actions)
        arrays = d3rlpy_arrays(transitions, for_next_actions=next_actions)
        assert own.keys() == arrays.keys()
        assert all(np.array_equal(own[name], arrays[name]) for name in arrays)
