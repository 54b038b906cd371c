"""What killed processes leave beside a file or folder that they were writing, and how it is cleared."""

import re
import shutil
from pathlib import Path


def put_back(folder: Path) -> None:
    """Restore a folder that was set aside by a `new_folder` whose process was killed."""
    if aside(folder).exists() and not folder.exists():
        aside(folder).rename(folder)


def clear_leftovers(path: Path) -> None:
    """Delete unfinished versions of a file or folder left by killed processes; only its sole owner may."""
    put_back(path)
    for leftover in leftovers(path):
        delete(leftover)


def leftovers(path: Path) -> list[Path]:
    """Unfinished and replaced versions of a file or folder that lie beside it."""
    if not path.parent.is_dir():
        return []
    return sorted(beside for beside in path.parent.iterdir() if target_of(beside) == path.name)


def target_of(path: Path) -> str | None:
    """Name of the file or folder that `path` is an unfinished or replaced version of, or None."""
    found = _LEFTOVER.fullmatch(path.name)
    return found and found["target"]


def delete(path: Path) -> None:
    """Delete a file or a folder, if it is still there and the system permits it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def folder_part(folder: Path) -> Path:
    """Path of the unfinished version of a folder."""
    return folder.with_name(f".{folder.name}.part")


def aside(folder: Path) -> Path:
    """Path of the version of a folder that is being replaced."""
    return folder.with_name(f".{folder.name}.old")


def write_lock(folder: Path) -> Path:
    """Path of the lock of the process that writes a folder."""
    return folder.with_name(f".{folder.name}.lock")


_LEFTOVER = re.compile(r"\.(?P<target>.+?)\.(?:(?:\d+\.)?part|part-\w+|old)")
"""Names of unfinished files (`.name.<pid>.part`) and folders (`.name.part`, in version 0.1.0 with a suffix),
and of folders set aside."""
