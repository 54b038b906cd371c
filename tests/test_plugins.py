"""Packages of other people, found by their metadata or named on the command line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from offline_envs.plugins import import_plugins, load_installed_plugins
from offline_envs.policies import POLICIES
from tests.cli.runner import fail, succeed

SOURCE = """
from offline_envs.policies import POLICIES

POLICIES.register("tests/plugged-in", POLICIES["uniform"])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path; what a test registers or imports is forgotten after it."""
    monkeypatch.setattr(POLICIES, "_entries", dict(POLICIES))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def install(folder: Path, module: str, source: str) -> None:
    """Write a module, and the metadata of an installed distribution that names it as a plugin."""
    (folder / f"{module}.py").write_text(source)
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[offline_envs]\nmine = {module}\n")


def test_installed_plugins_are_imported(folder: Path) -> None:
    install(folder, "plugged_in", SOURCE)
    load_installed_plugins()
    assert "tests/plugged-in" in POLICIES


def test_a_broken_plugin_is_named_and_the_others_are_imported(folder: Path) -> None:
    install(folder, "a_broken_one", "1 / 0")
    install(folder, "plugged_in", SOURCE)
    with pytest.warns(
        UserWarning, match=r"'a_broken_one' of a_broken_one could not be imported: ZeroDivision"
    ):
        load_installed_plugins()
    assert "tests/plugged-in" in POLICIES


def test_a_module_is_named_on_the_command_line(folder: Path) -> None:
    (folder / "named.py").write_text(SOURCE)
    arguments = ("tests/plugged-in", "--env-id", "InvertedPendulum-v5", "--episodes", 1)
    assert "tests/plugged-in" in fail("evaluate", *arguments)
    assert "InvertedPendulum-v5" in succeed("--import", "named", "evaluate", *arguments)


def test_a_module_that_is_not_there_is_refused() -> None:
    assert "--import takes importable modules, got 'no_such_one'" in fail(
        "--import", "no_such_one", "presets"
    )


def test_nothing_is_imported_when_nothing_is_named() -> None:
    before = set(sys.modules)
    import_plugins([])
    assert set(sys.modules) == before
