"""`locked`: a lock that only one process at a time can hold."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from offline_envs.files.storage import storage_errors


@contextmanager
def locked(path: Path, *, busy: Callable[[], None], protects: Path | None = None) -> Iterator[None]:
    """Hold the lock file at `path`; the operating system releases it however the process ends.

    The file names its holder, see `holder`. It is deleted at the end; a killed process leaves it behind,
    unlocked.

    Args:
        path: The lock file; its folder is created if missing.
        busy: Called once if another process holds the lock. It may raise; if it returns, `locked` waits for
            the lock.
        protects: What is written under the lock, for messages; None for the lock file itself.

    Raises:
        StorageError: The file cannot be written.
    """
    with storage_errors(protects or path):
        lock = _acquired(path, busy)
    try:
        yield
    finally:
        with suppress(OSError):  # gone with its folder, or read-only by now: the lock ends all the same
            path.unlink()
        lock.release()


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file at `path` if no process holds it; yields whether this one does now."""
    try:
        with locked(path, busy=_give_up):
            yield True
    except _BusyError:
        yield False


def holder(path: Path) -> str:
    """Say which process wrote the lock file at `path`, e.g. `"process 123 on laptop"`."""
    with suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8").strip() or "another process"
    return "another process"


class _BusyError(Exception):
    """Another process holds the lock."""


def _give_up() -> None:
    raise _BusyError


def _acquired(path: Path, busy: Callable[[], None]) -> FileLock:
    """Lock the file that is at `path` once the lock is held: its last holder may have deleted an earlier one.

    A file that is open and back at its path was there all the time, so that it is the one that was locked.
    """
    tell = cache(busy)  # once, however often another process is faster
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            lock = _waited_for(path, tell)
            if _is_at(descriptor, path):
                with suppress(OSError):  # a full disk: the name is for people only
                    os.truncate(descriptor, 0)
                    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                return lock
            lock.release()
        finally:
            os.close(descriptor)


def _waited_for(path: Path, busy: Callable[[], None]) -> FileLock:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        busy()
        lock.acquire()
    return lock


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
