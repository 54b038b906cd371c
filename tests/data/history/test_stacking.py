"""Histories in a dataset: every column by a plain loop, and never across episodes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs import Transitions, load_transitions
from offline_envs.data import concatenate, with_history
from offline_envs.errors import DatasetError, SettingsError
from tests.toy import toy_transitions


def random_transitions(lengths: tuple[int, ...] = (4, 1, 7), d: int = 3, k: int = 2) -> Transitions:
    """Episodes of random numbers, with actions from 2 to 5 in the first dimension."""
    generator = torch.Generator().manual_seed(0)
    obs, next_obs = [], []
    for length in lengths:
        course = torch.randn(length + 1, d, generator=generator)
        obs.append(course[:-1])
        next_obs.append(course[1:])
    n = sum(lengths)
    return Transitions(
        obs=torch.cat(obs),
        actions=torch.rand(n, k, generator=generator) * torch.tensor([3.0, 2.0]) + torch.tensor([2.0, -1.0]),
        rewards=torch.randn(n, generator=generator),
        next_obs=torch.cat(next_obs),
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0, *np.cumsum(lengths)[:-1]]),
        action_space=Box(np.array([2.0, -1.0], np.float32), np.array([5.0, 1.0], np.float32)),
    )


def by_loop(data: Transitions, history: int) -> tuple[list[list[float]], list[list[float]]]:
    """Observations and successors with a history, from lists of each episode."""
    obs, next_obs = [], []
    starts = [*data.episode_starts.tolist(), len(data)]
    for start, end in pairwise(starts):
        seen = [data.obs[start].tolist()] * history
        done = [[2.0, 0.0]] * (history - 1)  # of the space from (2, -1) to (5, 1) the nearest to zero
        for row in range(start, end):
            obs.append(joined(seen, done))
            seen = [data.next_obs[row].tolist(), *seen[:-1]]
            done = [data.actions[row].tolist(), *done][: history - 1]
            next_obs.append(joined(seen, done))
    return obs, next_obs


def joined(seen: list[list[float]], done: list[list[float]]) -> list[float]:
    """Newest observation, then each action and the observation before it."""
    pairs = [number for pair in zip(done, seen[1:], strict=True) for part in pair for number in part]
    return [*seen[0], *pairs]


@pytest.mark.filterwarnings("ignore:.*history is repeated")
@pytest.mark.parametrize("history", [2, 3, 6])
def test_every_column_is_that_of_a_loop(history: int) -> None:
    data = random_transitions()
    found = with_history(data, history)
    obs, next_obs = by_loop(data, history)
    assert found.obs.tolist() == obs
    assert found.next_obs.tolist() == next_obs
    assert (found.history, found.obs_dim) == (history, 3 * history + 2 * (history - 1))


def test_a_history_of_one_is_the_dataset_itself() -> None:
    data = random_transitions()
    assert with_history(data, 1) is data
    assert data.newest is data


def test_everything_but_the_observations_stays() -> None:
    data = random_transitions()
    found = with_history(data, 2)
    for name in ("actions", "rewards", "terminated", "episode_starts"):
        assert getattr(found, name) is getattr(data, name)
    assert found.episode_returns.tolist() == data.episode_returns.tolist()


def test_the_newest_observations_are_the_recorded_ones() -> None:
    """The same fingerprint: what is fitted to them, a termination head for instance, is shared."""
    data = random_transitions()
    assert with_history(data, 3).newest.fingerprint == data.fingerprint
    assert len({data.fingerprint, with_history(data, 2).fingerprint, with_history(data, 3).fingerprint}) == 3


def test_a_history_is_checked_when_it_is_loaded_again() -> None:
    found = with_history(random_transitions(), 2)
    assert load_transitions(found).obs is found.obs
    assert with_history(found, 2) is found
    with pytest.raises(DatasetError, match="history of 3 hold so many"):
        load_transitions(replace(found, history=3))


def test_a_dataset_is_loaded_with_its_history() -> None:
    data = random_transitions()
    arrays = {
        "observations": data.obs.numpy(),
        "actions": data.actions.numpy(),
        "rewards": data.rewards.numpy(),
        "next_observations": data.next_obs.numpy(),
        "terminals": data.terminated.numpy(),
        "episode_starts": data.episode_starts.numpy(),
    }
    found = load_transitions(arrays, action_space=data.action_space, history=2)
    assert found.obs.tolist() == by_loop(data, 2)[0]


@pytest.mark.parametrize("history", [0, -1, True, 2.0, "3"])
def test_what_is_no_history_is_refused(history: object) -> None:
    with pytest.raises(SettingsError, match="history must be an integer of at least 1"):
        with_history(random_transitions(), history)  # type: ignore[arg-type]


def test_another_history_of_the_same_data_is_refused() -> None:
    with pytest.raises(SettingsError, match="has one of 2"):
        with_history(with_history(random_transitions(), 2), 3)


@pytest.mark.filterwarnings("ignore:.*history is repeated")
def test_only_equal_histories_are_joined() -> None:
    data = toy_transitions()
    two, three = with_history(data, 2), with_history(data, 3)
    assert concatenate([two, two]).history == 2
    with pytest.raises(DatasetError, match="must have the same"):
        concatenate([two, three])


def test_mostly_repeated_histories_are_warned_of() -> None:
    """Of episodes of 3 rows, 2 of 3 lack the third-last observation, 1 of 3 the second-last."""
    with pytest.warns(UserWarning, match="history=3, 67% of the rows"):
        with_history(toy_transitions(), 3)
    with_history(toy_transitions(), 2)
