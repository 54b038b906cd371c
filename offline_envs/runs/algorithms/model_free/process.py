"""`Worker`: the process of another interpreter that trains with d3rlpy."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from offline_envs.errors import OfflineEnvsError, SettingsError

VARIABLE = "OFFLINE_ENVS_D3RLPY"
"""Environment variable that names the interpreter which has d3rlpy."""

PROGRAM = Path(__file__).with_name("worker.py")

INSTALL = (
    "d3rlpy pins an older Gymnasium, so give it an environment of its own: python3 -m venv d3rlpy-venv && "
    f"d3rlpy-venv/bin/pip install d3rlpy==2.8.1. Then set {VARIABLE}=d3rlpy-venv/bin/python, or give "
    '--settings \'{"algorithm_options": {"python": "d3rlpy-venv/bin/python"}}\'.'
)

Message = dict[str, Any]


def interpreter(chosen: str | None) -> str:
    """The interpreter that trains: the one chosen, that of `VARIABLE`, or this one."""
    return chosen or os.environ.get(VARIABLE) or sys.executable


class Worker:
    """A process that trains with d3rlpy; it ends with the `with` block at the latest.

    Args:
        python: Its interpreter.
        log: File to which its log is appended.
        program: The program; `worker.py` but in tests.

    Attributes:
        about: Versions of d3rlpy, torch and Python that it has.

    Raises:
        SettingsError: The interpreter cannot be run, or has no d3rlpy.
    """

    def __init__(self, python: str, log: Path, program: Path = PROGRAM) -> None:
        self._log, self._python = log, str(Path(python).expanduser())
        with log.open("ab") as errors:
            try:
                self._process = subprocess.Popen(
                    # -I: neither PYTHONPATH nor this folder hides a module of the other environment.
                    [self._python, "-I", str(program)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    start_new_session=True,  # Ctrl-C is for this process, which then ends that one
                )
            except OSError as error:
                raise SettingsError(f"{python} cannot be run: {error.strerror}. {INSTALL}") from error
        self.about: Message = {}

    def __enter__(self) -> Self:
        try:
            self.about = self._next()
            if "missing" in self.about:
                raise SettingsError(
                    f"{self._python} cannot import d3rlpy ({self.about['missing']}). {INSTALL}"
                )
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def carry_out(self, request: Message) -> Iterator[Message]:
        """Send the request, and give every message until the process has carried it out.

        Raises:
            SettingsError: d3rlpy refuses the request.
            OfflineEnvsError: The process failed, or was killed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        while message := self._next():
            yield message

    def _next(self) -> Message:
        """The next message; an empty one when the process has ended well."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            if status:
                raise OfflineEnvsError(
                    f"The process of d3rlpy ended with status {status}. Its log: {self._log}"
                )
            return {}
        message: Message = json.loads(line)
        if "refused" in message:
            raise SettingsError(f"{message['refused']}.")
        if "failed" in message:
            raise OfflineEnvsError(f"d3rlpy failed: {message['failed']}. Its log: {self._log}")
        return message

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
