"""What killed processes leave beside a file or folder that they were writing, and how it is cleared."""

import os
import re
import shutil
import socket
from pathlib import Path


def put_back(folder: Path) -> None:
    """Restore a folder that was set aside by a `new_folder` whose process was killed."""
    if aside(folder).exists() and not folder.exists():
        aside(folder).rename(folder)


def clear_leftovers(path: Path) -> None:
    """Delete unfinished versions of a file or folder left by killed processes; only its sole owner may."""
    clear_parts(path)
    write_lock(path).unlink(missing_ok=True)


def clear_file_parts(folder: Path) -> None:
    """Delete unfinished versions of files directly in a folder; only its sole owner may.

    Their names hold a process and a machine, so that no hidden file of another program is taken for one.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if target_of(path) and _WRITER.search(path.name):
            path.unlink(missing_ok=True)


def clear_parts(path: Path) -> None:
    """Do the same for the process that holds `write_lock(path)`."""
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


def file_part(path: Path) -> Path:
    """Path of this process's unfinished version of a file."""
    return path.with_name(f".{path.name}.{os.getpid()}@{socket.gethostname()}.part")


def clear_dead_parts(path: Path) -> None:
    """Delete unfinished versions of a file whose writers, on this machine, no longer run."""
    for leftover in leftovers(path):
        writer = _WRITER.search(leftover.name)
        if writer and writer["host"] == socket.gethostname() and not _runs(int(writer["pid"])):
            leftover.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def folder_part(folder: Path) -> Path:
    """Path of the unfinished version of a folder."""
    return folder.with_name(f".{folder.name}.part")


def aside(folder: Path) -> Path:
    """Path of the version of a folder that is being replaced."""
    return folder.with_name(f".{folder.name}.old")


def write_lock(folder: Path) -> Path:
    """Path of the lock of the process that writes a folder."""
    return folder.with_name(f".{folder.name}.lock")


_LEFTOVER = re.compile(r"\.(?P<target>.+?)\.(?:(?:\d+(?:@.+)?\.)?part|part-\w+|old)")
"""Names of unfinished files (`.name.<pid>@<host>.part`) and folders (`.name.part`), in version 0.1.0 without
the host or with a suffix, and of folders set aside."""

_WRITER = re.compile(r"\.(?P<pid>\d+)@(?P<host>.+)\.part$")
