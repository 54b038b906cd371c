"""Places that the system does not let a command write: one line, the setting, and no work done in vain."""

from pathlib import Path

import pytest

from offline_envs.dynamics import store
from tests.cli.runner import fail
from tests.runs.tiny import DEMO


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file where a folder has to be."""
    (tmp_path / "[file]").touch()
    return tmp_path / "[file]"


def no_work(*args: object, **keywords: object) -> None:
    raise AssertionError("worked in vain")


def test_outputs(file: Path, toy_dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "fit", no_work)
    for command in (
        ("fit", toy_dataset, "--output", file / "x"),
        ("diagnose", toy_dataset, "--output", file / "x"),
        ("info", toy_dataset, "--plot", file / "x" / "y.png"),
    ):
        line = fail(*command)
        assert f"Cannot write {file}/x: {file} is not a folder. {command[2]} chooses another place." in line


def test_datasets(file: Path) -> None:
    where = ("my/x-v0", "--output-root", str(file / "x"))
    collect = ("collect", "InvertedPendulum-v5", *where, "--kind", "random", "--steps", "5")
    for line in (
        fail(*collect),
        fail("relabel", DEMO, "--task", "halfcheetah-jump", "--output-id", *where),
    ):
        assert f"Cannot write {file}/x/my/x-v0: {file} is not a folder. --output-root" in line


def test_the_cache(file: Path, toy_dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "fit", no_work)
    monkeypatch.setenv("OFFLINE_ENVS_CACHE", str(file / "x"))
    line = fail("fit", toy_dataset)
    assert f"Cannot write {file}/x/ensembles: {file} is not a folder. OFFLINE_ENVS_CACHE or" in line
