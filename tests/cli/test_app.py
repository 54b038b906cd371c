import re
import subprocess
import sys
from pathlib import Path

import pytest

import offline_envs
from offline_envs.cli import app
from tests.cli.runner import RUNNER, fail

COMMANDS = ("demo", "info", "fit", "diagnose", "train", "evaluate", "collect", "relabel")


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
