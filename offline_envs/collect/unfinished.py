"""The hidden folder of an unfinished dataset, and which dataset it is of."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_envs.errors import SettingsError

SETTINGS_FILE = "settings.json"


def unfinished_folder(dataset_id: str, root: Path) -> Path:
    """Folder beside the dataset's place for work in progress. Minari does not look at hidden ones."""
    place = root / dataset_id
    return place.with_name(f".{place.name}.partial")


def begin(folder: Path, identity: Mapping[str, Any]) -> None:
    """Make the folder, or find it as an interrupted collection of the same dataset left it.

    Args:
        folder: The folder. One without a checkpoint has nothing to lose, and is made anew.
        identity: All that makes the dataset what it is, as JSON values.

    Raises:
        SettingsError: The folder holds the beginning of another dataset.
    """
    ours = json.loads(json.dumps(identity))
    file = folder / SETTINGS_FILE
    if not file.exists() or not any(folder.glob("*/[0-9]*")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file.write_text(json.dumps(ours, indent=2) + "\n", encoding="utf-8")
        return
    theirs = json.loads(file.read_text(encoding="utf-8"))
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise SettingsError(
            f"{folder} holds an unfinished collection with other settings: {', '.join(different)} differ. "
            "Go on with the same settings, or delete that folder to start anew."
        )


def remove(folder: Path) -> None:
    """Remove the folder of a dataset that is finished."""
    (folder / SETTINGS_FILE).unlink()  # First: without it, what a kill leaves is never gone on from.
    shutil.rmtree(folder)
