"""The hidden work folder of an unfinished dataset, claimed by one process for one dataset."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offline_envs.errors import DatasetError, SettingsError
from offline_envs.files import differences, locked, write_text

SETTINGS_FILE, LOCK_FILE = "settings.json", ".lock"


def unfinished_folder(dataset_id: str, root: Path) -> Path:
    """Folder beside the dataset's place for work in progress. Minari does not look at hidden ones."""
    place = root / dataset_id
    return place.with_name(f".{place.name}.partial")


@contextmanager
def claimed(folder: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Lock the folder, made now or as an interrupted collection of the same dataset left it.

    Args:
        folder: The folder. One without a checkpoint has nothing to lose, and is cleared.
        identity: All that makes the dataset what it is, as JSON values.

    Raises:
        SettingsError: The folder holds the beginning of another dataset.
        DatasetError: Another process works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK_FILE, busy=lambda: _refuse(folder)):
        _check(folder, json.loads(json.dumps(identity)))
        yield


def remove(folder: Path) -> None:
    """Remove the folder of a dataset that is finished."""
    (folder / SETTINGS_FILE).unlink()  # First: what a kill leaves without it is never resumed.
    shutil.rmtree(folder)


def _check(folder: Path, ours: dict[str, Any]) -> None:
    file = folder / SETTINGS_FILE
    if not file.exists() or not any(folder.glob("*/[0-9]*")):
        for leftover in folder.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            elif leftover.name != LOCK_FILE:
                leftover.unlink()
        write_text(file, json.dumps(ours, indent=2) + "\n")
        return
    theirs = json.loads(file.read_text(encoding="utf-8"))
    different = differences(ours, theirs)
    if different:
        raise SettingsError(
            f"{folder} holds an unfinished collection with other settings: {', '.join(different)} differ. "
            "Use the same settings to resume it, or delete that folder to start again."
        )


def _refuse(folder: Path) -> None:
    raise DatasetError(f"{folder} is in use: another process collects this dataset.")
