"""`cached`: load a result from its file, or compute it in one process while the others wait."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from offline_envs.errors import CheckpointError
from offline_envs.files.leftovers import clear_leftovers, delete
from offline_envs.files.locks import locked, locked_if_free
from offline_envs.files.storage import check_writable

Result = TypeVar("Result")


def cached(
    path: Path, *, make: Callable[[Path], None], load: Callable[[Path], Result], progress: bool = True
) -> Result:
    """Load a result, computing it first if it is missing.

    Args:
        path: File or folder of the result.
        make: Computes the result and writes it to `path` atomically. It may keep unfinished work in
            `unfinished(path)`, which is deleted once there is a result.
        load: Reads it.
        progress: Whether to report on standard error when waiting for another process.

    Raises:
        StorageError: The folder of `path` cannot be written; nothing was computed.
        CheckpointError: What is at `path` is damaged; the message says to delete it.
    """
    if not path.exists():
        check_writable(path.parent)
        waiting = f"Waiting for another process to make {path} …"
        with locked(lock_of(path), busy=lambda: say(waiting, shown=progress)):
            clear_leftovers(path)
            if not path.exists():
                make(path)
            delete(unfinished(path))
    elif lock_of(path).exists():  # its maker is about to end, or was killed before it had cleaned up
        with locked_if_free(lock_of(path)) as free:
            if free:
                clear_leftovers(path)
                delete(unfinished(path))
    try:
        return load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error} Delete {path} to compute it again.") from error


def lock_of(path: Path) -> Path:
    """Path of the lock that `cached` holds while it computes the result at `path`."""
    return path.with_suffix(".lock")


def unfinished(path: Path) -> Path:
    """Path of the unfinished work towards the result at `path`."""
    return path.with_suffix(".partial")


def say(text: str, *, shown: bool = True) -> None:
    """Print a line on standard error, without markup."""
    if shown:
        Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
