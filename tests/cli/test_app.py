import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import offline_envs
from offline_envs.cli import app
from tests.cli.runner import RUNNER, fail, succeed
from tests.runs.tiny import DEMO

COMMANDS = ("demo", "info", "fit", "diagnose", "train", "evaluate", "film", "collect", "relabel")


def test_help_lists_the_commands() -> None:
    for arguments in (["--help"], []):
        output = RUNNER.invoke(app, arguments).output
        assert all(command in output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_each_option(command: str) -> None:
    result = RUNNER.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    options = [line for line in plain.splitlines() if re.match(r"^│\s+\*?\s*--", line)]
    assert len(options) > 2
    assert all(re.search(r"[a-z]{2,} [a-zA-Z]{2,}", line) for line in options), options


def test_an_error_of_several_lines_becomes_one(toy_dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.npz"
    assert "two lines.npz" in fail("info", path)


def test_the_module_is_installed_as_a_command() -> None:
    program = "from offline_envs.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
    assert offline_envs.__doc__


def run_program(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "offline_envs", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def test_the_package_runs_as_a_program_and_knows_its_version() -> None:
    done = run_program("--version")
    assert (done.returncode, done.stdout) == (0, f"offline-envs {offline_envs.__version__}\n")


def test_a_terminal_of_ascii_letters_gets_what_it_can_print() -> None:
    done = run_program("info", DEMO, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    row = next(line for line in done.stdout.splitlines() if "returns" in line)
    assert "#" in row  # the highest bar
    assert "?" not in done.stdout


def test_an_error_of_the_system_is_one_line(toy_dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/model [1]")

    monkeypatch.setattr("offline_envs.tasks.task_transitions", full)
    assert fail("info", toy_dataset) == "Error: /data/model [1]: No space left on device"


def test_a_warning_to_the_user_is_one_line_and_one_to_programmers_names_its_place() -> None:
    program = """
import warnings
from offline_envs import cli

def app():
    warnings.warn("A value of [1]\\nis usable. Check it.")
    warnings.warn("old", DeprecationWarning)

cli.app = app
cli.main()
"""
    command = [sys.executable, "-W", "always", "-c", program]
    first, second, *_ = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()
    assert first == "Warning: A value of [1] is usable. Check it."
    assert second == "<string>:7: DeprecationWarning: old"


@pytest.mark.parametrize("name", ["a[red].npz", "[/b].npz"])
def test_brackets_in_a_path_are_printed_as_they_are(
    name: str, toy_dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich takes them for styles: it drops the one, and breaks off at the other."""
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    shutil.copy(toy_dataset, name)
    assert name in succeed("info", name)
    assert f"no-{name}" in fail("info", f"no-{name}")
