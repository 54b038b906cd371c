"""Errors of the operating system while something is written, as one line that says what moves it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offline_envs.errors import StorageError

_OF_OTHERS = (ConnectionError, TimeoutError, ChildProcessError)
"""Errors of the system that are not about storage."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an error of the system in the block into a `StorageError` about `path`.

    Errors that name a file elsewhere, such as the missing source of a copy, pass as they are.

    Args:
        path: The file or folder that the block writes.

    Raises:
        StorageError: The system does not let the block write.
    """
    try:
        yield
    except (StorageError, *_OF_OTHERS):
        raise
    except OSError as error:
        if _is_elsewhere(error, path):
            raise
        raise _refusal(path, error) from error


@contextmanager
def moved_by(setting: str) -> Iterator[None]:
    """Add to storage errors of the block which setting moves what it writes, unless they say so already.

    Args:
        setting: Names as the user writes them, e.g. `"--output"`.
    """
    try:
        yield
    except StorageError as error:
        if _MOVES in str(error):
            raise
        raise StorageError(f"{error} {setting} {_MOVES}.") from error


def check_writable(place: Path | str, setting: str | None = None) -> None:
    """Refuse a place that cannot be written, before work is done for it; creates nothing.

    Args:
        place: A folder, or a file or folder that does not exist yet.
        setting: What moves the place, as the user writes it, e.g. `"--output"`; None if `moved_by` says it.

    Raises:
        StorageError: A file is where a folder has to be, or the system refuses to write there: read-only, no
            permission, full.
    """
    if setting is not None:
        with moved_by(setting):
            check_writable(place)
        return
    path = Path(place).absolute()
    try:
        existing = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
        if not existing.is_dir():
            raise StorageError(f"Cannot write {path}: {existing} is not a folder.")
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(bytes(_PROBE_SIZE))
            probe.flush()
            os.fsync(probe.fileno())
    except StorageError:
        raise
    except OSError as error:
        raise _refusal(path, error) from error


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_below(folder: Path) -> None:
    """Flush a folder, and everything below it, to disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


_MOVES = "chooses another place"
_PROBE_SIZE = 4096
"""Bytes written to find out whether a disk is full: one block."""


def _refusal(path: Path, error: OSError) -> StorageError:
    return StorageError(f"Cannot write {path}: {error.strerror or error}.")


def _is_elsewhere(error: OSError, path: Path) -> bool:
    """Whether an error names a file that is no version, part or parent of `path`."""
    if not isinstance(error.filename, str | os.PathLike):
        return False
    named, path = Path(error.filename).absolute(), path.absolute()
    if path.is_relative_to(named):
        return False
    beside = named.parts[len(path.parent.parts)] if named.is_relative_to(path.parent) else ""
    return beside != path.name and not beside.startswith(f".{path.name}.")
