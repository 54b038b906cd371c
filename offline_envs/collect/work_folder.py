"""The hidden folder of an unfinished dataset: which dataset it is of, and who works in it."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offline_envs.errors import DatasetError, SettingsError

SETTINGS_FILE = "settings.json"


def unfinished_folder(dataset_id: str, root: Path) -> Path:
    """Folder beside the dataset's place for work in progress. Minari does not look at hidden ones."""
    place = root / dataset_id
    return place.with_name(f".{place.name}.partial")


@contextmanager
def begun(folder: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder, or find it as an interrupted collection of the same dataset left it; keep others out.

    Args:
        folder: The folder. One without a checkpoint has nothing to lose, and is made anew.
        identity: All that makes the dataset what it is, as JSON values.

    Raises:
        SettingsError: The folder holds the beginning of another dataset.
        DatasetError: Another process works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _check(folder, json.loads(json.dumps(identity)))
        yield


def remove(folder: Path) -> None:
    """Remove the folder of a dataset that is finished."""
    (folder / SETTINGS_FILE).unlink()  # First: without it, what a kill leaves is never gone on from.
    shutil.rmtree(folder)


def _check(folder: Path, ours: dict[str, Any]) -> None:
    file = folder / SETTINGS_FILE
    if not file.exists() or not any(folder.glob("*/[0-9]*")):
        for leftover in folder.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        file.write_text(json.dumps(ours, indent=2) + "\n", encoding="utf-8")
        return
    theirs = json.loads(file.read_text(encoding="utf-8"))
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise SettingsError(
            f"{folder} holds an unfinished collection with other settings: {', '.join(different)} differ. "
            "Go on with the same settings, or delete that folder to start anew."
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder; the lock goes with the process, however that ends."""
    if sys.platform == "win32":  # It cannot open folders.
        yield
        return
    import fcntl  # Not on Windows.

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DatasetError(f"{folder} is in use: another process collects this dataset.") from error
        yield
    finally:
        os.close(handle)
