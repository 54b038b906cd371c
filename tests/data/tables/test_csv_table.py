"""CSV files as people write them, with nothing but the standard library."""

from pathlib import Path
from typing import Any

import pytest

from offline_envs import load_transitions
from offline_envs.data.tables import csv_table
from offline_envs.errors import DatasetError
from tests.data.tables.plants import COLUMNS, as_arrays, rows, write_csv
from tests.data.worlds import same


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("at_once", [2, 50_000])
def test_a_file_is_the_same_steps_as_arrays(
    delimiter: str, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_table, "ROWS_AT_ONCE", at_once)
    path = write_csv(
        tmp_path / "plant.csv", rows(spilled=["False", "False", "True", "", *["false"] * 3]), delimiter
    )
    assert same(load_transitions(path, columns=COLUMNS), load_transitions(as_arrays()))


def test_a_scheme_names_a_file_of_another_ending(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "plant.parquet", rows())
    assert same(load_transitions(f"csv:{path}", columns=COLUMNS), load_transitions(as_arrays()))
    with pytest.raises(DatasetError, match="There is no file"):
        load_transitions(f"csv:{tmp_path / 'other'}")


def test_quotes_a_byte_order_mark_blank_lines_and_unread_columns(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    path.write_text(
        '\ufeff"obs, first",action,reward,episode,note\r\n'
        '1,0,1,0,"two\r\nlines"\r\n\r\n2,1,1,0,\r\n3,,,0,3\r\n',
        encoding="utf-8",
    )
    found = load_transitions(path, columns={"obs": "obs, first", "terminated": False})
    assert found.obs.tolist() == [[1], [2]]
    assert found.next_obs.tolist() == [[2], [3]]


def test_a_file_is_shared_until_it_or_its_columns_change(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "plant.csv", rows())
    first = load_transitions(path, columns=COLUMNS)
    assert load_transitions(str(path), columns=dict(COLUMNS)) is first
    assert load_transitions(path, columns=COLUMNS | {"obs": ["level"]}).obs_dim == 1
    write_csv(path, rows(flow=[1.0, 2, 3, 4, 5, 6, 88]))
    assert load_transitions(path, columns=COLUMNS).next_obs[-1].tolist() == [12, 88]


def test_places_are_lines_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "ROWS_AT_ONCE", 2)
    with pytest.raises(DatasetError, match=r"column 'level' .*: row 4 \(line 6\) is empty"):
        load(tmp_path, level=[1, 2, 3, 4, None, 6, 7])
    with pytest.raises(DatasetError, match=r"'level' must hold numbers.*row 4 \(line 6\) holds '1,5'"):
        load(tmp_path, level=[1, 2, 3, 4, '"1,5"', 6, 7])
    with pytest.raises(DatasetError, match=r"'level' must hold numbers.*row 4 \(line 6\) holds '1_5'"):
        load(tmp_path, level=[1, 2, 3, 4, "1_5", 6, 7])
    with pytest.raises(DatasetError, match=r"'level' must hold numbers; row 0 \(line 2\) holds 'low'"):
        load(tmp_path, level=["low"] * 7)


def load(folder: Path, **changes: Any) -> None:
    load_transitions(write_csv(folder / "plant.csv", rows(**changes)), columns=COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", r"every line must have 2 cells, as the first; line 3 has 1"),
        ("1,2\n3,4\n", r"its first line must name the columns, received \['1', '2'\]"),
        ("", r"its first line must name the columns"),
        ("a,a\n1,2\n", r"each column must have a name of its own; \['a'\] are twice"),
        ("obs,action,reward,episode\n", r"has no row below its first line"),
        ('a,b\n"1,2\n', r"is no CSV file in UTF-8"),
        (b"a,b\n\xff,2\n", r"is no CSV file in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    keys = {"obs": "a", "action": "b", "reward": 0} if b"a" in path.read_bytes()[:1] else {}
    with pytest.raises(DatasetError, match=message):
        load_transitions(path, columns=keys | {"episode": False, "terminated": False} if keys else {})


def test_large_ids_are_told_apart(tmp_path: Path) -> None:
    """Times in nanoseconds, which are one number in float64; and as fractions they are refused."""
    ids = [1_764_000_000_000_000_001 + (row > 3) for row in range(7)]
    path = write_csv(tmp_path / "plant.csv", rows(batch=ids))
    assert same(load_transitions(path, columns=COLUMNS), load_transitions(as_arrays()))
    write_csv(path, rows(batch=[f"{name}.0" for name in ids]))
    with pytest.raises(DatasetError, match=r"'batch' .*numbers below 2\*\*53, .*row 0 \(line 2\) holds"):
        load_transitions(path, columns=COLUMNS)


@pytest.mark.parametrize("ids", [("1", "1a"), ("1_0", "10"), ("10", "1e1"), ("7", "True"), (" 1", "1.5")])
def test_ids_that_are_no_plain_numbers_are_told_apart_by_their_texts(
    ids: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As numbers, 1_0 and 10 would be one episode, and 1a would be none."""
    monkeypatch.setattr(csv_table, "ROWS_AT_ONCE", 2)
    path = write_csv(tmp_path / "plant.csv", rows(batch=[ids[0]] * 4 + [ids[1]] * 3))
    assert same(load_transitions(path, columns=COLUMNS), load_transitions(as_arrays()))


@pytest.mark.parametrize("first", ["1", "1a", "nan"])
def test_an_id_that_is_missing_is_found_among_numbers_and_texts(first: str, tmp_path: Path) -> None:
    missing = 0 if first == "nan" else 4
    with pytest.raises(DatasetError, match=rf"'batch', the episode, is empty in row {missing} "):
        load(tmp_path, batch=[first] * 4 + ["", "2", "2"])
