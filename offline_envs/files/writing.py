"""Atomic writes: files and folders appear complete or not at all, even if the process is killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offline_envs.files.leftovers import aside, clear_leftovers, folder_part, put_back, write_lock
from offline_envs.files.locks import locked
from offline_envs.files.storage import storage_errors, sync, sync_below


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which atomically replaces the file at `path` when the block ends.

    If the block raises, the file at `path` stays as it is. What was written is flushed to disk first, and the
    entry of its folder afterwards.

    Args:
        path: The file; its folder is created if missing.

    Raises:
        StorageError: The system does not let it be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            sync(part)
            part.replace(path)
            sync(path.parent)
        finally:
            part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file at `path` atomically."""
    with new_file(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Replace the text file at `path` atomically, in UTF-8."""
    with new_file(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, which replaces `folder` when the block ends.

    An existing folder is set aside and then deleted; if the block raises, it is kept. A process killed
    between the two renames leaves it aside; `put_back` restores it. Processes that write the same folder wait
    for each other, and the next one clears what a killed one left.

    Args:
        folder: The folder; its parent is created if missing.

    Raises:
        StorageError: The system does not let it be written.
    """
    part = folder_part(folder)
    with storage_errors(folder), locked(write_lock(folder), busy=lambda: None, protects=folder):
        clear_leftovers(folder)
        try:
            part.mkdir()
            yield part
            sync_below(part)
            _put_in_place(part, folder)
        finally:
            put_back(folder)
            shutil.rmtree(part, ignore_errors=True)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder atomically: whatever is at `target` is complete."""
    with new_folder(target) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)


def _put_in_place(part: Path, folder: Path) -> None:
    if folder.exists():
        folder.rename(aside(folder))
    part.rename(folder)
    sync(folder.parent)
    shutil.rmtree(aside(folder), ignore_errors=True)
