"""Atomic writes: files and folders appear complete or not at all, even if the process is killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which atomically replaces the file at `path` when the block ends.

    If the block raises, the file at `path` stays as it is. What was written is flushed to disk first.

    Args:
        path: The file; its folder is created if missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        _flush(part)
        part.replace(path)
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
    between the two renames leaves it aside; `put_back` restores it.

    Args:
        folder: The folder; its parent is created if missing.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_part_prefix(folder)))
    try:
        fresh = part / "new"  # with the permissions of any new folder, which `mkdtemp` withholds
        fresh.mkdir()
        yield fresh
        for file in fresh.rglob("*"):
            if file.is_file():
                _flush(file)
        put_back(folder)
        if folder.exists():
            shutil.rmtree(_aside(folder), ignore_errors=True)
            folder.rename(_aside(folder))
        fresh.rename(folder)
        shutil.rmtree(_aside(folder), ignore_errors=True)
    finally:
        put_back(folder)
        shutil.rmtree(part, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Restore a folder that was set aside by a `new_folder` whose process was killed."""
    if _aside(folder).exists() and not folder.exists():
        _aside(folder).rename(folder)


def clear_leftovers(folder: Path) -> None:
    """Delete unfinished versions of `folder` left by killed processes; only its sole owner may."""
    put_back(folder)
    for part in folder.parent.glob(f"{_part_prefix(folder)}*"):
        shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(_aside(folder), ignore_errors=True)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder atomically: whatever is at `target` is complete."""
    with new_folder(target) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _part_prefix(folder: Path) -> str:
    return f".{folder.name}.part-"


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
