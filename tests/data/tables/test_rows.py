"""Rows that are missing, repeated, out of order or uneven in time."""

from typing import Any

import numpy as np
import pytest

from offline_envs import load_transitions
from offline_envs.errors import DatasetError
from tests.data.tables.plants import COLUMNS, rows
from tests.data.worlds import same

EVEN = [0.0, 0.1, 0.2, 0.3, 50.0, 50.1, 50.2]


def load(when: Any) -> Any:
    return load_transitions(rows(when=when), columns=COLUMNS | {"time": "when"})


def test_times_may_jump_between_episodes() -> None:
    expected = load_transitions(rows(), columns=COLUMNS)
    assert same(load(EVEN), expected)
    assert same(load(list(np.array(EVEN).astype(np.float32))), expected)
    assert same(load([f"2026-03-01T00:00:{int(second):02d}Z" for second in (0, 1, 2, 3, 5, 6, 7)]), expected)
    days = np.array(
        ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02", "2027", "2027-01-02", "2027-01-03"]
    )
    assert same(load(days.astype("datetime64[D]")), expected)


@pytest.mark.parametrize(
    ("row", "time", "place"),
    [
        (2, 0.3, r"0\.1 apart; from row 1 to the next it is 0\.2"),  # a row is missing
        (2, 0.1, r"from row 1 to the next it is 0\."),  # repeated
        (5, 49.9, r"from row 4 to the next it is -0\.1"),  # out of order
        (6, None, r"column 'when', the time, is empty in row 6"),
    ],
)
def test_gaps_are_refused_with_their_place(row: int, time: Any, place: str) -> None:
    times: list[Any] = [*EVEN]
    times[row] = time
    if row == 2 and time == 0.3:
        times[3] = 0.4
    with pytest.raises(DatasetError, match=place):
        load(times)


def test_a_time_that_is_none_is_refused_with_its_place() -> None:
    texts = [f"2026-03-01T00:00:0{second}" for second in range(7)]
    texts[4] = "noon"
    with pytest.raises(DatasetError, match=r"ISO times such as .*; row 4 holds .*noon"):
        load(texts)


def test_jitter_is_warned_about() -> None:
    with pytest.warns(UserWarning, match=r"1 of 5 steps in column 'when' differ by more than 10%.* 0\.1\."):
        load([0.0, 0.1, 0.2, 0.32, 50.0, 50.1, 50.2])


def test_a_time_by_its_name_may_be_left_out() -> None:
    table = rows(time=[0.0, 1, 2, 9, 0, 1, 2])
    with pytest.raises(DatasetError, match=r"columns=\{'time': False\}"):
        load_transitions(table, columns=COLUMNS)
    assert len(load_transitions(table, columns=COLUMNS | {"time": False})) == 5
