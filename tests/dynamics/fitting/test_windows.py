from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions
from offline_envs.dynamics import FitSettings
from offline_envs.dynamics.fitting.rows import generator_for, split_index
from offline_envs.dynamics.fitting.windows import follow, successors, window_lengths
from offline_envs.errors import DatasetError

SETTINGS = FitSettings(rollout_steps=4, max_epochs=1, holdout=12, seed=1)


def episodes(lengths: Sequence[int]) -> Transitions:
    """Rows whose observation is their number."""
    n = sum(lengths)
    rows = torch.arange(n, dtype=torch.float32)[:, None]
    starts = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    return Transitions(
        obs=rows,
        actions=torch.zeros(n, 1),
        rewards=torch.zeros(n),
        next_obs=rows + 1,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=starts,
        action_space=Box(-1, 1, (1,)),
        source="numbers",
    )


@pytest.mark.parametrize("lengths", [(70,), (30, 1, 39), (7,) * 10])
def test_a_row_is_followed_by_the_next_of_its_episode_and_part(lengths: Sequence[int]) -> None:
    data = episodes(lengths)
    found = successors(data, SETTINGS)
    parts = split_index(len(data), SETTINGS)
    starts = data.episode_starts.tolist()
    for part, following in zip(parts, found, strict=True):
        rows = part.tolist()
        for place, row in enumerate(rows):
            inside = row + 1 < len(data) and row + 1 not in starts and row + 1 in rows
            expected = rows.index(row + 1) if inside else place
            assert following[place] == expected, row


@pytest.mark.parametrize("lengths", [(70,), (30, 1, 39)])
def test_windows_end_with_episode_and_part(lengths: Sequence[int]) -> None:
    data = episodes(lengths)
    train, _ = split_index(len(data), SETTINGS)
    rows, starts = set(train.tolist()), set(data.episode_starts.tolist())
    expected = []
    for row in train.tolist():
        length = 1
        while length < 4 and row + length in rows and row + length not in starts:
            length += 1
        expected.append(length)
    assert window_lengths(successors(data, SETTINGS).train, 4).tolist() == expected


def test_a_window_that_ended_stays_where_it_is() -> None:
    position, present = torch.tensor([[0, 2]], dtype=torch.int32), torch.ones(1, 2, dtype=torch.bool)
    following = torch.tensor([1, 1, 3, 0])
    seen = []
    for _ in range(3):
        position, present = follow(following, position, present)
        seen.append((position.tolist(), present.tolist()))
    assert seen == [
        ([[1, 3]], [[True, True]]),
        ([[1, 0]], [[False, True]]),
        ([[1, 1]], [[False, True]]),
    ]


def test_the_split_keeps_blocks_together() -> None:
    """All but one block of four are in one part; the last has two rows."""
    train, holdout = split_index(70, replace(SETTINGS, holdout=13))
    assert sorted([*train.tolist(), *holdout.tolist()]) == list(range(70))
    assert len(holdout) == 13
    train_blocks, holdout_blocks = ({row // 4 for row in part.tolist()} for part in (train, holdout))
    assert len(train_blocks & holdout_blocks) <= 1


def test_single_steps_are_split_row_by_row_as_before() -> None:
    train, holdout = split_index(70, FitSettings(holdout=13, seed=1))
    order = torch.randperm(70, generator=generator_for(1, 0))
    assert torch.equal(torch.cat([train, holdout]), order)


def test_rows_that_follow_nothing_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"rollout_steps=4 needs rows that follow .* numbers has none"):
        successors(episodes((1,) * 70), SETTINGS)


def test_windows_much_shorter_than_asked_for_are_told() -> None:
    with pytest.warns(UserWarning, match=r"the average window has 1\.5 rows .* Choose rollout_steps=2"):
        successors(episodes((2,) * 50), replace(SETTINGS, rollout_steps=4, holdout=4))
