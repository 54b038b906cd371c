"""The hidden work folder of an unfinished dataset, claimed by one process for one dataset."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offline_envs.errors import CheckpointError, DatasetError, SettingsError
from offline_envs.files import (
    delete,
    differences,
    holder,
    locked,
    locked_if_free,
    plain,
    read_json,
    write_json,
    write_text,
)

SETTINGS_FILE, LOCK_FILE = "settings.json", ".lock"

_WRITTEN_FILE = "written"
"""Present once the dataset is complete and is about to be put in its place."""


def unfinished_folder(dataset_id: str, root: Path) -> Path:
    """Return the hidden folder, which Minari ignores, for work on a dataset, beside its destination."""
    place = root / dataset_id
    return place.with_name(f".{place.name}.partial")


@contextmanager
def claimed(folder: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Lock the folder, whether new or left by an interrupted collection of the same dataset.

    Args:
        folder: The folder. Without a checkpoint there is nothing to resume, and it is cleared.
        identity: Everything that determines the dataset, as JSON values.

    Raises:
        SettingsError: The folder holds the beginning of another dataset.
        CheckpointError: What says which dataset the folder belongs to is damaged.
        DatasetError: Another process is using it.
        StorageError: The system does not let it be written.
    """
    with locked(folder / LOCK_FILE, busy=lambda: _refuse(folder), protects=folder):
        _check(folder, plain(identity))
        yield


def mark_written(folder: Path) -> None:
    """Say that nothing in the folder is needed any more once the dataset is in its place."""
    write_text(folder / _WRITTEN_FILE, "")


def remove_if_written(folder: Path, target: Path) -> None:
    """Remove the folder if its dataset is at `target`: its process was killed before it could.

    Unfinished work towards another dataset of this id is kept.
    """
    if not (target.exists() and folder.exists()):
        return
    with locked_if_free(folder / LOCK_FILE) as free:
        if free and ((folder / _WRITTEN_FILE).exists() or not (folder / SETTINGS_FILE).exists()):
            remove(folder)


def remove(folder: Path) -> None:
    """Remove the folder of a dataset that is finished."""
    (folder / SETTINGS_FILE).unlink(missing_ok=True)  # First: a folder without it is never resumed.
    shutil.rmtree(folder)


def _check(folder: Path, ours: dict[str, Any]) -> None:
    file = folder / SETTINGS_FILE
    if not file.exists() or not any(folder.glob("*/[0-9]*")):
        for leftover in folder.iterdir():
            if leftover.name != LOCK_FILE:
                delete(leftover)
        write_json(file, ours)
        return
    try:
        theirs = read_json(file)
    except CheckpointError as error:
        raise CheckpointError(f"{error} Delete {folder} to start again.") from error
    different = differences(ours, theirs)
    if different:
        raise SettingsError(
            f"{folder} holds an unfinished collection with other settings: {', '.join(different)} differ. "
            "Use the same settings to resume it, or delete that folder to start again."
        )


def _refuse(folder: Path) -> None:
    raise DatasetError(f"{folder} is in use: {holder(folder / LOCK_FILE)} is writing this dataset.")
