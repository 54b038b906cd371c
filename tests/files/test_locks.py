import subprocess
import sys
from pathlib import Path

import pytest

from offline_envs.files import locked

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
