"""`cached`: load a result from its file, or compute it in one process while the others wait."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from offline_envs.errors import CheckpointError
from offline_envs.files.locks import locked

Result = TypeVar("Result")


def cached(
    path: Path, *, make: Callable[[Path], None], load: Callable[[Path], Result], progress: bool = True
) -> Result:
    """Load a result, computing it first if it is missing.

    Args:
        path: File or folder of the result.
        make: Computes the result and writes it to `path` atomically.
        load: Reads it.
        progress: Whether to report on standard error when waiting for another process.

    Raises:
        CheckpointError: What is at `path` is damaged; the message says to delete it.
    """
    if not path.exists():
        waiting = f"Waiting for another process to make {path} …"
        with locked(path.with_suffix(".lock"), busy=lambda: say(waiting, shown=progress)):
            if not path.exists():
                make(path)
    try:
        return load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error} Delete {path} to compute it again.") from error


def say(text: str, *, shown: bool = True) -> None:
    """Print a line on standard error, without markup."""
    if shown:
        Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
