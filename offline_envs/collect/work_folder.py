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
        DatasetError: Another process is using it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK_FILE, busy=lambda: _refuse(folder)):
        _check(folder, json.loads(json.dumps(identity)))
        yield


def remove(folder: Path) -> None:
    """Remove the folder of a dataset that is finished."""
    (folder / SETTINGS_FILE).unlink()  # First: a folder without it is never resumed.
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
    raise DatasetError(f"{folder} is in use: another process is collecting this dataset.")
