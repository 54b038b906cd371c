"""Folders with checksums: what was sealed is there as it was, or is refused."""

import hashlib
import json
from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError
from offline_envs.files import (
    SEAL_FILE,
    is_sealed,
    new_folder,
    new_sealed_file,
    seal,
    verify,
    verify_file,
    write_json,
)
from offline_envs.files import seals as module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_folder(tmp_path / "checkpoint") as part:
        (part / "agent.zip").write_bytes(b"agent")
        (part / "below").mkdir()
        (part / "below" / "buffer.pkl").write_bytes(b"buffer")
        seal(part)
    return tmp_path / "checkpoint"


def test_a_sealed_folder_is_accepted_and_its_checksums_are_those_of_the_files(folder: Path) -> None:
    assert is_sealed(folder)
    verify(folder)
    files = json.loads((folder / SEAL_FILE).read_text())["files"]
    assert set(files) == {"agent.zip", "below/buffer.pkl"}
    expected = {"size": 5, "sha256": hashlib.sha256(b"agent").hexdigest(), "about": {}}
    assert files["agent.zip"] == [expected]
    assert verify_file(folder / "agent.zip") == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [("agent.zip", b"agenT"), ("agent.zip", b"agen"), ("below/buffer.pkl", b""), (SEAL_FILE, b"{}")],
)
def test_whatever_was_changed_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=Path(name).name):
        verify(folder)


def test_what_was_said_of_a_folder_comes_back(folder: Path) -> None:
    assert verify(folder) == {}
    seal(folder, {"done": 3, "after": "x"})
    assert verify(folder) == {"done": 3, "after": "x"}


def test_a_file_that_is_missing_is_refused_unless_it_may_be(folder: Path) -> None:
    (folder / "agent.zip").unlink()
    with pytest.raises(CheckpointError, match=r"agent\.zip is missing"):
        verify(folder)
    verify(folder, may_lack={"agent.zip"})
    (folder / "agent.zip").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="altered"):
        verify(folder, may_lack={"agent.zip"})


def test_without_checksums_nothing_is_accepted(folder: Path) -> None:
    (folder / SEAL_FILE).unlink()
    assert not is_sealed(folder)
    with pytest.raises(CheckpointError, match=r"holds no checksums\.json"):
        verify(folder)


def test_a_file_that_was_not_sealed_is_ignored_by_the_folder_and_refused_by_itself(folder: Path) -> None:
    (folder / "foreign").write_text("x")
    verify(folder)
    with pytest.raises(CheckpointError, match=r"not among the files"):
        verify_file(folder / "foreign")


def test_files_of_a_folder_are_replaced_one_by_one(tmp_path: Path) -> None:
    for name, text, value in (("best", "1", 1.5), ("last", "2", 2.5), ("best", "33", -3.5)):
        with new_sealed_file(tmp_path / "policies" / name, {"return": value}) as part:
            part.write_text(text)
    verify(tmp_path / "policies")
    assert verify_file(tmp_path / "policies" / "best") == {"return": -3.5}
    assert verify_file(tmp_path / "policies" / "last") == {"return": 2.5}


@pytest.mark.parametrize("killed_before", ["rename", "last checksums"])
def test_killed_while_a_file_is_replaced_either_version_has_what_was_said_of_it(
    tmp_path: Path, killed_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "best"
    with new_sealed_file(path, {"return": 1.0}) as part:
        part.write_text("old")
    calls = []

    def killed(target: Path, values: dict[str, object]) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise SystemExit
        write_json(target, values)
        if killed_before == "rename":
            raise SystemExit

    monkeypatch.setattr(module, "write_json", killed)
    with pytest.raises(SystemExit), new_sealed_file(path, {"return": 2.0}) as part:
        part.write_text("new")
    monkeypatch.undo()
    expected = {"rename": ("old", 1.0), "last checksums": ("new", 2.0)}[killed_before]
    assert (path.read_text(), verify_file(path)["return"]) == expected
    with new_sealed_file(path, {"return": 3.0}) as part:
        part.write_text("newer")
    assert verify_file(path) == {"return": 3.0}
    path.write_text("old")  # a version that is no longer expected
    with pytest.raises(CheckpointError, match="altered"):
        verify_file(path)
