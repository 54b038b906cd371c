import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock

from offline_envs.files import holder, locked, locked_if_free, locks

PROGRAM = """
import sys
from pathlib import Path
from offline_envs.files import locked
with locked(Path(sys.argv[1]), busy=lambda: None):
    print("held", flush=True)
    sys.stdin.readline()
"""


class BusyError(Exception):
    """Raised instead of waiting."""


def refuse() -> None:
    raise BusyError


def test_another_process_is_refused_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError), locked(lock, busy=refuse):
            pass
        if int(version("filelock").split(".")[0]) < 4:  # which empties the file that it locks
            assert holder(lock) == "another process"
        else:
            assert holder(lock).startswith(f"process {other.pid} on ")
        with locked_if_free(lock) as free:
            assert not free
        other.kill()
        other.wait()
        with locked(lock, busy=refuse):
            pass


def test_a_waiting_process_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    first = locked(lock, busy=refuse)
    first.__enter__()
    said = []

    def release() -> None:
        said.append("waiting")
        first.__exit__(None, None, None)

    with locked(lock, busy=release):
        assert said == ["waiting"]


def test_nothing_is_left_behind_and_a_missing_file_has_no_known_holder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock, busy=refuse), locked_if_free(tmp_path / "other") as free:
        assert free
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "other"}
    assert list(tmp_path.iterdir()) == []
    assert holder(lock) == "another process"


def test_a_deleted_file_is_not_taken_for_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening the file and locking it, its holder deletes it and a third process makes a new one."""
    lock = tmp_path / "lock"
    acquire, calls = locks._waited_for, []

    def replaced_at_first(path: Path, busy: Callable[[], None]) -> FileLock:
        calls.append(path)
        found = acquire(path, busy)
        if len(calls) == 1:
            path.unlink()
            path.touch()
        return found

    monkeypatch.setattr(locks, "_waited_for", replaced_at_first)
    with locked(lock, busy=refuse):
        assert len(calls) == 2
        with pytest.raises(BusyError), locked(lock, busy=refuse):
            pass
