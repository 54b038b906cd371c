"""`locked`: a lock that only one process at a time can hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(path: Path, *, busy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file at `path`; the operating system releases it however the process ends.

    Args:
        path: The lock file; its folder is created if missing. It is left behind, empty.
        busy: Called if another process holds the lock. It may raise; if it returns, `locked` waits for the
            lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        busy()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
