"""Run commands in this process, and return what they print."""

from typing import Any

from typer.testing import CliRunner

from offline_envs.cli import app

RUNNER = CliRunner(env={"COLUMNS": "200"})


def succeed(*arguments: object) -> str:
    """Run a command that must succeed, and return its standard output."""
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def fail(*arguments: object) -> str:
    """Run a command that must be refused immediately, with one line of error, status 1, and no work done."""
    result: Any = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    lines: list[str] = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]
