"""Kill work at its file operations, and see that the same call afterwards ends as if nothing had happened.

The work runs in a fork of this process, where everything is imported, so that a kill costs milliseconds.
Files are as SIGKILL leaves them: what was not yet flushed from Python's buffers is lost. The variable
`OFFLINE_ENVS_KILLS` is the number of kills for each piece of work, or `all` for one at every operation.
"""

import os
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

_CHOICE = os.environ.get("OFFLINE_ENVS_KILLS", "12")
N_KILLS = sys.maxsize if _CHOICE == "all" else int(_CHOICE)

SECONDS = 120
"""Time after which a fork is taken to hang [s]."""

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

Patched = Sequence[tuple[Any, str]]
"""Callables by owner and name that count as file operations besides Python's own, e.g. those of HDF5."""


def check_kills(
    place: Path, work: Callable[[], Any], *, also: Patched = (), kills_each: int = 1, n: int = N_KILLS
) -> int:
    """Kill `work` at its operations one by one, each time in an empty `place`, and call it again.

    It must then return exactly what it returns without a kill, and leave the same files.

    Args:
        place: Folder below which it writes; emptied before each try.
        work: Called without arguments; returns what was made, as a value that `==` compares exactly.
        also: See `Patched`.
        kills_each: Kills before the call that may end, each at the same number of operations.
        n: Most operations tried, evenly spread.

    Returns:
        The number of kills, which is also printed.
    """
    _empty(place)
    expected, listing = work(), _listing(place)
    _empty(place)
    n_operations = _run(work, place, also, kill_at=None)
    assert n_operations > 0, "nothing was written"
    step = max(1, -(-n_operations // n))
    n_kills = 0
    for kill_at in range(1 + (n_operations - 1) % step, n_operations + 1, step):
        _empty(place)
        for _ in range(kills_each):
            n_kills += _run(work, place, also, kill_at=kill_at) == -1
        assert work() == expected, f"killed at operation {kill_at} of {n_operations}: another result"
        left = _listing(place)
        assert left == listing, f"killed at operation {kill_at} of {n_operations}: left {left ^ listing}"
    print(f"{n_kills} kills at {n_operations} file operations")
    return n_kills


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: a fork has none of the others that its parent computes with."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def run_at_once(n: int, work: Callable[[], str]) -> list[str]:
    """Run the work in `n` forks that begin together; returns what each returned."""
    hold, go = os.pipe()

    def held() -> str:
        os.close(go)
        os.read(hold, 1)  # until the last writing end is closed
        return work()

    forks = [_forked(held) for _ in range(n)]
    os.close(go)
    os.close(hold)
    return [_ended(fork) for fork in forks]


def _run(work: Callable[[], Any], place: Path, also: Patched, *, kill_at: int | None) -> int:
    """Run the work in a fork; returns its number of operations, or -1 if it was killed."""

    def counted() -> str:
        counter = _Counter(place, kill_at)
        counter.watch(also)
        work()
        return str(counter.n)

    try:
        return int(_ended(_forked(counted)))
    except _KilledError:
        return -1


class _KilledError(Exception):
    """A fork ended by SIGKILL."""


class _Fork(NamedTuple):
    pid: int
    pipe: int


def _forked(work: Callable[[], str]) -> _Fork:
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which the fork has not
        pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _child(work, write_end)
    os.close(write_end)
    return _Fork(pid, read_end)


def _child(work: Callable[[], str], write_end: int) -> None:
    """Never returns."""
    status = 1
    try:
        signal.alarm(SECONDS)
        os.write(write_end, work().encode())
        status = 0
    except BaseException:
        os.write(write_end, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _ended(fork: _Fork) -> str:
    """Wait for a fork; returns what it returned."""
    with os.fdopen(fork.pipe) as pipe:
        said = pipe.read()
    _, status = os.waitpid(fork.pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        raise _KilledError
    assert status == 0, f"the work failed in its fork with status {status}: {said}"
    return said


class _Counter:
    """Counts operations on files below a folder, and kills its process before one of them."""

    def __init__(self, place: Path, kill_at: int | None) -> None:
        self.n = 0
        self._place, self._kill_at = str(place), kill_at

    def watch(self, also: Patched) -> None:
        """Begin to count, until the process ends."""
        sys.addaudithook(self._on_event)
        for owner, name in (*also, (os, "fsync")):
            setattr(owner, name, self._counted(getattr(owner, name)))

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event in _CHANGES or (event == "open" and (arguments[2] or 0) & _WRITES)
        if writes and self._is_below(arguments[0]):
            self._count()

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self._count()
            return function(*arguments, **keywords)

        return counted

    def _is_below(self, path: Any) -> bool:
        """Relative names are those of `shutil.rmtree`, which has the folder open."""
        if not isinstance(path, str | os.PathLike):
            return False
        name = os.fspath(path)
        return not os.path.isabs(name) or str(name).startswith(self._place)

    def _count(self) -> None:
        self.n += 1
        if self.n == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _empty(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)


def _listing(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*")}
