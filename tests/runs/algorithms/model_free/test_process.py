"""Conversations with programs of a few lines, in this interpreter."""

import os
import sys
from pathlib import Path

import pytest

from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.runs.algorithms.model_free.process import VARIABLE, Message, Worker, interpreter

HELLO = 'import json, sys\ndef tell(**m): print(json.dumps(m), flush=True)\ntell(d3rlpy="1.2")\n'
ASKED = HELLO + "request = json.loads(sys.stdin.readline())\n"


def worker(folder: Path, program: str) -> Worker:
    path = folder / "program.py"
    path.write_text(program)
    return Worker(sys.executable, folder / "log", path)


def test_messages_come_in_order_until_the_program_ends(tmp_path: Path) -> None:
    program = (
        ASKED + 'for step in range(request["steps"]): tell(step=step)\nprint("a line", file=sys.stderr)\n'
    )
    with worker(tmp_path, program) as running:
        assert running.about == {"d3rlpy": "1.2"}
        assert list(running.carry_out({"steps": 3})) == [{"step": 0}, {"step": 1}, {"step": 2}]
    assert (tmp_path / "log").read_text() == "a line\n"


def test_the_log_of_a_resumed_run_continues(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    with worker(tmp_path, ASKED + 'print("after", file=sys.stderr)\n') as running:
        assert list(running.carry_out({})) == []
    assert (tmp_path / "log").read_text() == "before\nafter\n"


def carried_out(folder: Path, program: str) -> list[Message]:
    with worker(folder, program) as running:
        return list(running.carry_out({}))


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    told = ASKED + 'tell({}="no such setting")\n'
    with pytest.raises(SettingsError, match=r"^no such setting\.$"):
        carried_out(tmp_path, told.format("refused"))
    with pytest.raises(OfflineEnvsError, match=r"d3rlpy failed: no such setting.* log: .*/log") as raised:
        carried_out(tmp_path, told.format("failed"))
    assert not isinstance(raised.value, SettingsError)
    for program in (ASKED + "sys.exit(3)\n", "raise SystemExit(3)\n"):
        with pytest.raises(OfflineEnvsError, match=r"ended with status 3.* log: .*/log"):
            carried_out(tmp_path, program)


def test_an_interpreter_without_d3rlpy_is_refused_with_the_remedy(tmp_path: Path) -> None:
    remedy = r"-m venv .*pip install d3rlpy==.*OFFLINE_ENVS_D3RLPY=.*algorithm_options"
    missing = r"cannot import d3rlpy \(No module named 'd3rlpy'\)\. .*"
    with pytest.raises(SettingsError, match=missing + remedy), Worker(sys.executable, tmp_path / "log"):
        pass
    with pytest.raises(SettingsError, match=r"none/python cannot be run: No such file.*" + remedy):
        Worker(str(tmp_path / "none" / "python"), tmp_path / "log")


def test_the_process_does_not_outlive_the_block(tmp_path: Path) -> None:
    """Otherwise an interrupted run would train on, unseen."""
    program = ASKED + "import os, time\ntell(step=os.getpid())\ntime.sleep(600)\n"
    with worker(tmp_path, program) as running:
        number = next(running.carry_out({}))["step"]
        os.kill(number, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_the_other_environment_sees_nothing_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module on PYTHONPATH, or beside the program, would hide one of the other environment's own."""
    (tmp_path / "shadow").mkdir()
    for folder in (tmp_path, tmp_path / "shadow"):
        (folder / "json.py").write_text("raise ImportError('the wrong json')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    with worker(tmp_path, HELLO) as running:
        assert running.about == {"d3rlpy": "1.2"}


def test_the_interpreter_is_the_chosen_one_the_variables_or_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert interpreter(None) == sys.executable
    monkeypatch.setenv(VARIABLE, "a/python")
    assert interpreter(None) == "a/python"
    assert interpreter("b/python") == "b/python"
