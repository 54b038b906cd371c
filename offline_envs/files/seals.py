"""Checksums of whole files of any format, kept in one file of their folder.

A folder that is written at once is sealed before it is renamed into place:

    with new_folder(checkpoint) as part:
        agent.save(part / "agent.zip")
        seal(part)

and verified before anything in it is opened: `verify(checkpoint)`. Files of a folder that are replaced one by
one are written with `new_sealed_file`, each with what has to be known of it, and verified with `verify_file`.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offline_envs.errors import CheckpointError
from offline_envs.files.identity import plain
from offline_envs.files.json_files import read_json, write_json
from offline_envs.files.leftovers import target_of
from offline_envs.files.writing import new_file

SEAL_FILE = "checksums.json"
"""Name of the file, in a sealed folder, that holds the checksums of the others."""

_Versions = list[dict[str, Any]]
"""What is known of the versions of a file that may be there: one, or two while it is replaced."""


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
        path.relative_to(folder).as_posix(): [_version(path, {})]
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / SEAL_FILE and target_of(path) is None
        if path.relative_to(folder).parts[0] not in but
    }
    write_json(folder / SEAL_FILE, {"files": files, "about": about or {}})


def is_sealed(folder: Path) -> bool:
    """Whether a folder has checksums; those that version 0.1.0 wrote have none."""
    return (folder / SEAL_FILE).exists()


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
    for name, versions in _read(folder).items():
        path = folder / name
        if path.exists() or path.name not in may_lack:
            _matching(path, versions)
    about: dict[str, Any] = read_json(folder / SEAL_FILE).get("about", {})
    return about


@contextmanager
def new_sealed_file(path: Path, about: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Yield a path to write to, which replaces the file at `path` together with its checksum.

    Killed at any moment, the process leaves the old file or the new one, and `verify_file` accepts either
    with what was said about it. Only one process at a time may write files of a folder in this way.

    Args:
        path: The file; its folder is created if missing.
        about: JSON values by name that belong to this version of the file.
    """
    folder = path.parent
    with new_file(path) as part:
        yield part
        new = _version(part, about or {})
        files = _read(folder) if is_sealed(folder) else {}
        old = [version for version in files.get(path.name, []) if _fits(path, version)]
        write_json(folder / SEAL_FILE, {"files": {**files, path.name: [*old[:1], new]}})
    write_json(folder / SEAL_FILE, {"files": {**files, path.name: [new]}})


def verify_file(path: Path) -> dict[str, Any]:
    """Refuse a file unless its folder has a checksum of it that fits.

    Returns:
        What `new_sealed_file` was told about it, `{}` after `seal`.

    Raises:
        CheckpointError: The file is missing, truncated, altered or not sealed.
    """
    about: dict[str, Any] = _matching(path, _read(path.parent).get(path.name, []))["about"]
    return about


def file_checksum(path: Path) -> str:
    """SHA-256 of a file's contents, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": file_checksum(path), "about": plain(about)}


def _read(folder: Path) -> dict[str, _Versions]:
    if not is_sealed(folder):
        raise CheckpointError(
            f"{folder} holds no {SEAL_FILE}: it is not complete, or version 0.1.0 wrote it."
        )
    files = read_json(folder / SEAL_FILE).get("files")
    if not isinstance(files, dict):
        raise CheckpointError(f"{folder / SEAL_FILE} is damaged: it lists no files.")
    return files


def _matching(path: Path, versions: _Versions) -> dict[str, Any]:
    if not versions:
        raise CheckpointError(f"{path} is not among the files that {SEAL_FILE} lists.")
    if not path.is_file():
        raise CheckpointError(f"{path} is missing.")
    for version in versions:
        if _fits(path, version):
            return version
    raise CheckpointError(f"{path} is truncated or altered: its checksum is not the one in {SEAL_FILE}.")


def _fits(path: Path, version: Mapping[str, Any]) -> bool:
    """Compare sizes first, so that a file of another size is not read at all."""
    if not path.is_file() or path.stat().st_size != version["size"]:
        return False
    return file_checksum(path) == str(version["sha256"])
