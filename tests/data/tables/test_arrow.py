"""Parquet files and folders."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from offline_envs import load_transitions
from offline_envs.data import action_names, obs_names
from offline_envs.data.tables import arrow
from offline_envs.errors import DatasetError
from tests.data.tables.plants import COLUMNS, as_arrays, rows
from tests.data.tables.test_frames import in_lists
from tests.data.worlds import same


def write(path: Path, columns: dict[str, Any], **types: Any) -> Path:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: pyarrow.array(values, types.get(name)) for name, values in columns.items()}
    parquet.write_table(pyarrow.table(arrays), path, row_group_size=2)
    return path


def part(first: int, last: int, **changes: Any) -> dict[str, list[Any]]:
    return {name: values[first:last] for name, values in rows(**changes).items()}


def test_a_file_is_the_same_steps_as_arrays(tmp_path: Path) -> None:
    path = write(tmp_path / "plant.parquet", rows())
    found = load_transitions(path, columns=COLUMNS)
    assert same(found, load_transitions(as_arrays()))
    assert load_transitions(str(path), columns=COLUMNS) is found
    other = write(tmp_path / "plant", rows())
    assert same(load_transitions(f"parquet:{other}", columns=COLUMNS), found)


def test_lists_of_fixed_length_and_flags_with_gaps(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = in_lists()
    table["terminated"][-1] = None
    fixed = {
        "observation.state": pyarrow.list_(pyarrow.float32(), 2),
        "action": pyarrow.list_(pyarrow.float64(), 1),
    }
    path = write(tmp_path / "plant.parquet", table, **fixed)
    if int(pyarrow.__version__.split(".")[0]) < 26:  # the last action is an empty cell
        with pytest.raises(DatasetError, match=r"cannot be read by pyarrow .* A newer one may read it"):
            load_transitions(path)
    else:
        assert same(load_transitions(path), load_transitions(as_arrays()))


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "2.parquet", part(4, 7))
    write(tmp_path / "runs" / "1" / "late.parquet", part(2, 4))
    write(tmp_path / "runs" / "1" / "early.parquet", part(0, 2))
    found = load_transitions(tmp_path / "runs", columns=COLUMNS)
    assert same(found, load_transitions(as_arrays()))
    write(tmp_path / "runs" / "2.parquet", part(4, 7, level=[0, 1, 2, 3, 4, None, 6]))
    with pytest.raises(DatasetError, match=r"column 'level' .*: row 5 \(row 1 of 2\.parquet\) is empty"):
        load_transitions(tmp_path / "runs", columns=COLUMNS)


def test_files_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", part(0, 4))
    write(tmp_path / "2.parquet", part(4, 7, flow=None))
    with pytest.raises(DatasetError, match=r"2\.parquet lacks the column 'flow', which other files have"):
        load_transitions(tmp_path, columns=COLUMNS)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1, but no more")
    with pytest.raises(DatasetError, match="is not a readable Parquet file"):
        load_transitions(tmp_path / "broken.parquet", columns=COLUMNS)
    with pytest.raises(DatasetError, match="There is no file"):
        load_transitions(tmp_path / "none.parquet", columns=COLUMNS)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "plant.parquet", rows())
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(len(whole) // 3) + whole[4 + len(whole) // 3 :])
    with pytest.raises(DatasetError, match=r"cannot be read|not a readable"):
        load_transitions(path, columns=COLUMNS)


def test_a_missing_package_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("offline_envs.data.tables.table.import_module", missing)
    (tmp_path / "plant.parquet").touch()
    with pytest.raises(DatasetError, match=r"needs pyarrow\.parquet .*pip install 'offline-envs\[tables\]'"):
        arrow.ParquetTable(tmp_path / "plant.parquet")


@pytest.mark.parametrize("batch", [["1", "2", "2"], [dt.date(2026, 1, day) for day in (1, 2, 2)]])
def test_files_whose_columns_hold_other_kinds_are_refused(batch: list[Any], tmp_path: Path) -> None:
    """Numbers and texts would be told apart by their texts: 1 and "1" were one episode."""
    write(tmp_path / "plant" / "0.parquet", part(0, 4, batch=[1] * 7))
    write(tmp_path / "plant" / "1.parquet", part(4, 7) | {"batch": batch})
    with pytest.raises(DatasetError, match=r"column 'batch' must hold one kind of cells in all files, got a"):
        load_transitions(tmp_path / "plant", columns=COLUMNS)


def test_units_in_the_metadata_of_fields_are_kept(tmp_path: Path) -> None:
    """What `columns=` says comes first."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    units = {"level": {"unit": "m"}, "flow": {"units": "m³/s"}, "valve": {"unit": "1", "note": "open"}}
    plain = pyarrow.table(rows())
    fields = [field.with_metadata(units.get(field.name)) for field in plain.schema]
    table = plain.cast(pyarrow.schema(fields))
    parquet.write_table(table, tmp_path / "plant.parquet")
    columns = {**COLUMNS, "units": {"valve": "%"}}
    for source in (table, tmp_path / "plant.parquet"):
        data = load_transitions(source, columns=columns)
        assert obs_names(data) == ["level [m]", "flow [m³/s]"]
        assert action_names(data) == ["valve [%]"]
