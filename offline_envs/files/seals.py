"""Checksums of all files of a folder, of any format, kept in one file of it.

A folder is sealed before it is renamed into place:

    with new_folder(checkpoint) as part:
        agent.save(part / "agent.zip")
        seal(part)

and verified before anything in it is opened: `verify(checkpoint)`.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from offline_envs.errors import CheckpointError
from offline_envs.files.json_files import read_json, write_json
from offline_envs.files.leftovers import target_of

SEAL_FILE = "checksums.json"
"""Name of the file, in a sealed folder, that holds the checksums of the others."""


def seal(folder: Path, about: Mapping[str, Any] | None = None, *, but: Collection[str] = ()) -> None:
    """Write the size and SHA-256 of every file below `folder` to its `checksums.json`.

    Args:
        folder: The folder.
        about: JSON values by name that belong to the whole of it, covered by the checksums too.
        but: Names of files and folders directly inside it that may change later.

    Raises:
        StorageError: The system does not let it be written.
    """
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _checksum(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / SEAL_FILE and target_of(path) is None
        if path.relative_to(folder).parts[0] not in but
    }
    write_json(folder / SEAL_FILE, {"files": files, "about": about or {}})


def verify(folder: Path, *, may_lack: Collection[str] = ()) -> dict[str, Any]:
    """Refuse a sealed folder unless every file that was sealed is there as it was.

    Files that were not sealed are ignored.

    Args:
        folder: The folder.
        may_lack: Names of files that may have been deleted since.

    Returns:
        What `seal` was told about it.

    Raises:
        CheckpointError: The folder is not sealed, or one of its files is missing, truncated or altered.
    """
    path = folder / SEAL_FILE
    if not path.exists():
        raise CheckpointError(
            f"{folder} holds no {SEAL_FILE}: it is not complete, or version 0.1.0 wrote it."
        )
    values = read_json(path)
    files, about = values.get("files"), values.get("about")
    if not isinstance(files, dict) or not isinstance(about, dict):
        raise CheckpointError(f"{path} is damaged: it lists no files.")
    for name, expected in files.items():
        file = folder / name
        if file.exists() or file.name not in may_lack:
            _check(file, expected)
    return about


def _check(path: Path, expected: Mapping[str, Any]) -> None:
    """Compare sizes first, so that a file of another size is not read at all."""
    if not path.is_file():
        raise CheckpointError(f"{path} is missing.")
    if path.stat().st_size != expected["size"] or _checksum(path) != expected["sha256"]:
        raise CheckpointError(f"{path} is truncated or altered: its checksum is not the one in {SEAL_FILE}.")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
