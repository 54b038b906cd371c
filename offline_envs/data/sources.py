"""`SOURCES`: the kinds of dataset that a string or a path may name, one row each."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from offline_envs.data.array_source import transitions_from_npz
from offline_envs.data.d4rl_source import transitions_from_d4rl
from offline_envs.data.minari_ids import minari_data_path
from offline_envs.data.minari_source import open_minari, transitions_from_minari
from offline_envs.data.tables.arrow import ParquetTable
from offline_envs.data.tables.columns import ColumnsChoice
from offline_envs.data.tables.csv_table import CsvTable
from offline_envs.data.tables.lerobot import LeRobotTable, is_lerobot_folder
from offline_envs.data.tables.steps import transitions_from_table
from offline_envs.data.tables.table import Table
from offline_envs.data.transitions import Transitions
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.registry import Registry

ID_LIKE = re.compile(r"[-\w][-\w/]*")
"""A string without a dot or a leading slash is an id; a folder of such a name must be given as a `Path`."""

SCHEMES = ("csv:", "parquet:", "lerobot:")
"""What a text may begin with that says which source it is for, where the path does not."""

Name = str | os.PathLike[str]
"""What the user passes: an id or a path."""


@dataclass(frozen=True)
class Source:
    """A kind of dataset that a string or a path names.

    Attributes:
        valid: Description of what it reads, for messages and help, e.g. `"a path to an .npz archive"`.
        find: Maps the name to the file or folder that holds the data; None if the name is not of this kind.
            It may download. A dataset in memory is reused until the file, or a file below the folder,
            changes.
        read: Reads that file or folder as transitions, see `Transitions` and `transitions_from_arrays`.
        read_columns: Reads it by what its columns are, see `Columns`; None if the file says so itself.
    """

    valid: str
    find: Callable[[Name], Path | None]
    read: Callable[[Path], Transitions]
    read_columns: Callable[[Path, ColumnsChoice], Transitions] | None = None

    @classmethod
    def of_tables(
        cls, valid: str, find: Callable[[Name], Path | None], table: Callable[[Path], Table]
    ) -> "Source":
        """Make a source of tables of named columns.

        Args:
            valid: See the class.
            find: See the class.
            table: Opens the file or folder.
        """
        return cls(
            valid,
            find,
            lambda path: transitions_from_table(table(path)),
            lambda path, columns: transitions_from_table(table(path), columns),
        )


def _minari_id(name: Name) -> Path | None:
    return minari_data_path(name) if isinstance(name, str) and ID_LIKE.fullmatch(name) else None


def _minari_folder(name: Name) -> Path | None:
    path = Path(name).expanduser()
    if isinstance(name, str) and ID_LIKE.fullmatch(name):
        return None
    if path.name == "main_data.hdf5" and path.with_name("metadata.json").exists():
        return _existing(path).parent
    return next((p for p in (path, path / "data") if (p / "metadata.json").is_file()), None)


def _d4rl_file(name: Name) -> Path | None:
    path = Path(name).expanduser()
    if path.suffix not in (".hdf5", ".h5") or path.is_dir() or _minari_folder(name) is not None:
        return None
    return _existing(path)


def _npz_archive(name: Name) -> Path | None:
    path = Path(name).expanduser()
    return _existing(path) if path.suffix == ".npz" else None


def _csv_file(name: Name) -> Path | None:
    path, named = _without_scheme("csv", name)
    return _existing(path) if named or path.suffix.lower() in (".csv", ".tsv") else None


def _parquet(name: Name) -> Path | None:
    path, named = _without_scheme("parquet", name)
    if named or path.suffix.lower() in (".parquet", ".pq"):
        return path if path.is_dir() else _existing(path)
    is_folder = not (isinstance(name, str) and ID_LIKE.fullmatch(name)) and path.is_dir()
    return path if is_folder and any(path.rglob("*.parquet")) else None


def _lerobot_folder(name: Name) -> Path | None:
    path, named = _without_scheme("lerobot", name)
    if named:
        return path
    is_id = isinstance(name, str) and ID_LIKE.fullmatch(name)
    return path if not is_id and is_lerobot_folder(path) else None


def _without_scheme(scheme: str, name: Name) -> tuple[Path, bool]:
    """The path of a name, and whether the name begins with `scheme:`."""
    text = os.fspath(name)
    named = text.startswith(f"{scheme}:")
    return Path(text.removeprefix(f"{scheme}:")).expanduser(), named


def _read_minari(path: Path) -> Transitions:
    return transitions_from_minari(open_minari(path))


SOURCES: Registry[Source] = Registry(
    "dataset source",
    {
        "minari": Source("a Minari id ([namespace/]name-vN)", _minari_id, _read_minari),
        "d4rl": Source("a path to a D4RL .hdf5 or .h5 file", _d4rl_file, transitions_from_d4rl),
        "npz": Source("a path to an .npz archive", _npz_archive, transitions_from_npz),
        "csv": Source.of_tables("a path to a .csv file (or csv:PATH)", _csv_file, CsvTable),
        "parquet": Source.of_tables(
            "a path to a .parquet file or a folder of these (or parquet:PATH)", _parquet, ParquetTable
        ),
        "lerobot": Source.of_tables(
            "a path to a LeRobot folder (or lerobot:PATH)", _lerobot_folder, LeRobotTable
        ),
        "minari-folder": Source("a path to the folder of a Minari dataset", _minari_folder, _read_minari),
    },
)
"""Every source by name. Later ones are tried before earlier ones, those that other packages register first of
all: a Minari folder, which may hold Parquet files, before a folder of these."""


class Found(NamedTuple):
    """What a name refers to, and how it is read.

    Attributes:
        path: The file or folder.
        source: Name of the source that reads it; of several with the same functions, the first, so that they
            share what is in memory.
        read: Reads `path` as transitions.
    """

    path: Path
    source: str
    read: Callable[[Path], Transitions]


def find_source(name: Name, columns: ColumnsChoice | None = None) -> Found:
    """Find the file or folder that a name refers to, and what reads it.

    Args:
        name: An id or a path.
        columns: What the columns of the table that it names are.

    Raises:
        DatasetError: No source knows the name; the message says what is valid.
        SettingsError: There are `columns`, and it is no table.
    """
    scheme = os.fspath(name).partition(":")[0]
    sources = [SOURCES[scheme]] if f"{scheme}:" in SCHEMES else reversed([*SOURCES.values()])
    for source in sources:
        path = source.find(name)
        if path is not None:
            return Found(path, _first_alike(source), _reader(source, name, columns))
    raise DatasetError(
        f"dataset={str(name)!r} is neither a dataset nor a known kind of file; give {valid_datasets()}."
    )


def _first_alike(source: Source) -> str:
    functions = source.read, source.read_columns
    return next(name for name, row in SOURCES.items() if (row.read, row.read_columns) == functions)


def _reader(source: Source, name: Name, columns: ColumnsChoice | None) -> Callable[[Path], Transitions]:
    read_columns = source.read_columns
    if columns is None:
        return source.read
    if read_columns is None:
        tables = [row.valid for row in SOURCES.values() if row.read_columns is not None]
        raise SettingsError(
            f"columns= says what the columns of a table are ({', '.join(tables)}); dataset={str(name)!r} is "
            f"{source.valid}, which says so itself. Leave columns= out."
        )
    return lambda path: read_columns(path, columns)


def valid_datasets() -> str:
    """Describe everything that can be given as a dataset."""
    named = ", ".join(source.valid for source in SOURCES.values())
    return (
        f"{named}, a MinariDataset, a mapping of arrays, a DataFrame of pandas, a Dataset of Hugging Face, "
        "a Transitions, or a list of these"
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.")
    return path
