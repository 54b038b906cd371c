"""Random tables through every door, beside a plain loop: the same rows, or the package's own error.

`make fuzz` tries thousands, which are new each time.
"""

import csv
import json
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError
from tests.data.tables.random_tables import Cells, RandomTable, Row, expected_rows, tables
from tests.data.test_fuzz import EXAMPLES, PROFILE

COUNTS: Counter[str] = Counter()

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module", autouse=True)
def print_counts() -> Iterator[None]:
    """With `-s`, say how much was tried."""
    yield
    print("\nrandom tables:", *(f"{COUNTS[name]:>7} {name}" for name in sorted(COUNTS)), sep="\n")


class NotWritableError(Exception):
    """A format cannot hold the table."""


Door = Callable[[RandomTable, Path, np.random.Generator], tuple[Any, dict[str, Any]]]
"""Writes a table, and returns what `load_transitions` is given: the dataset, and the meaning of columns."""


def as_mapping(table: RandomTable, folder: Path, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """Lists, some of them as arrays."""
    given: dict[str, Any] = {
        name: np.array(cells) if _whole(cells) and rng.random() < 0.5 else cells
        for name, cells in table.cells.items()
    }
    return given, table.roles


def as_csv(table: RandomTable, folder: Path, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """With any delimiter, way to write truth, and line ends, and with or without a byte-order mark."""
    words = {True: str(rng.choice(["True", "true", "1"])), False: str(rng.choice(["False", "FALSE", "0"]))}
    delimiter = str(rng.choice([",", ";", "\t"]))
    with (folder / "a.csv").open("w", encoding=str(rng.choice(["utf-8", "utf-8-sig"])), newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=str(rng.choice(["\n", "\r\n"])))
        writer.writerow(table.cells)
        for cells in zip(*table.cells.values(), strict=True):
            writer.writerow([words[cell] if isinstance(cell, bool) else cell for cell in cells])
    return folder / "a.csv", table.roles


def as_frame(table: RandomTable, folder: Path, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """With NumPy's types or pandas' own, and with any index."""
    frame = pandas.DataFrame(table.cells)
    if rng.random() < 0.5:
        frame = frame.convert_dtypes()
    frame.index = rng.permutation(len(frame))
    return frame, table.roles


def as_arrow(table: RandomTable, folder: Path, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    return arrow_table(table.cells), table.roles


def as_parquet(table: RandomTable, folder: Path, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """A file, or a folder of several, whose types may differ between them."""
    write_parts(folder / "data", table.cells, cuts(len(table), rng))
    return folder / "data", table.roles


def as_lerobot(table: RandomTable, folder: Path, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """Vectors as lists; in version 3.0 in files of any rows, in version 2.1 a file an episode."""
    if not all(isinstance(name, int | None) for name in table.cells.get("episode", [])):
        raise NotWritableError("LeRobot numbers its episodes")
    vectors = {"obs": "observation.state", "action": "action", "next_obs": "next.observation.state"}
    parts = {name: role for role in vectors for name in table.roles.get(role, [])}
    cells = {name: values for name, values in table.cells.items() if name not in parts}
    roles = dict(table.roles)
    for role in set(parts.values()):
        columns = [table.cells[name] for name in table.roles[role]]
        if any(isinstance(cell, str) for column in columns for cell in column):
            raise NotWritableError("a text in a vector")
        cells[vectors[role]] = [
            [None if x is None else float(x) for x in row] for row in zip(*columns, strict=True)
        ]
        roles[role] = [vectors[role]]
    features = {
        name: {"dtype": "string" if name == "note" else "float64", "shape": [1], "names": None}
        for name in cells
    }
    version = str(rng.choice(["v2.1", "v3.0"]))
    ids = table.cells.get("episode", [])
    changes = [t for t in range(1, len(ids)) if ids[t] != ids[t - 1]]
    write_parts(folder / "data", cells, changes if version == "v2.1" else cuts(len(table), rng))
    (folder / "meta").mkdir()
    info = {"codebase_version": version, "features": features, "total_frames": len(table)}
    (folder / "meta" / "info.json").write_text(json.dumps(info), encoding="utf-8")
    return folder, roles


DOORS: tuple[Door, ...] = (as_mapping, as_csv, as_frame, as_arrow, as_parquet, as_lerobot)


def cuts(n: int, rng: np.random.Generator) -> list[int]:
    """Rows from which on another file holds them."""
    return sorted(set(rng.integers(1, n, int(rng.integers(3))).tolist())) if n > 1 else []


def write_parts(folder: Path, cells: Cells, starts: list[int]) -> None:
    """Write Parquet files, each of which begins in one of some rows."""
    folder.mkdir()
    n = len(next(iter(cells.values())))
    for number, (first, last) in enumerate(zip([0, *starts], [*starts, n], strict=True)):
        part = arrow_table({name: values[first:last] for name, values in cells.items()})
        parquet.write_table(part, folder / f"file-{number:03d}.parquet", row_group_size=2)


def arrow_table(cells: Cells) -> Any:
    """A table of pyarrow, whose columns have one type each."""
    columns = {}
    for name, values in cells.items():
        kinds = {type(cell) for cell in values if cell is not None}
        if str in kinds and len(kinds) > 1:
            raise NotWritableError("texts among numbers")
        mixed = len(kinds) > 1
        plain = [float(cell) if mixed and cell is not None else cell for cell in values]
        columns[name] = pyarrow.array(plain)
    return pyarrow.table(columns)


def _whole(cells: list[Any]) -> bool:
    """Whether cells make an array of one type without loss."""
    return len({type(cell) for cell in cells}) == 1 and cells[0] is not None


def loaded(dataset: Any, roles: dict[str, Any]) -> list[Row] | None:
    """The rows that are read, None if the package refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = load_transitions(dataset, columns=roles)
        except DatasetError:
            return None
    starts = set(data.episode_starts.tolist())
    columns = (data.obs, data.actions, data.rewards, data.next_obs, data.terminated)
    steps = zip(*(column.tolist() for column in columns), strict=True)
    return [Row(*step, t in starts) for t, step in enumerate(steps)]  # type: ignore[call-arg]


@given(table=tables())
@settings(PROFILE, max_examples=max(1, EXAMPLES // 4))
def test_every_door_gives_the_rows_of_a_plain_loop_or_an_error(table: RandomTable) -> None:
    expected = expected_rows(table)
    for flaw in table.flaws or ("sound",):
        COUNTS[f"drawn, {flaw}"] += 1
    rng = np.random.default_rng(table.seed)
    for door in DOORS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                dataset, roles = door(table, Path(folder), rng)
            except NotWritableError:
                continue
            assert loaded(dataset, roles) == expected, door.__name__
        COUNTS[f"{'refused' if expected is None else 'loaded'} {door.__name__}"] += 1
