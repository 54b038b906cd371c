"""Folders with checksums: what was sealed is there as it was, or is refused."""

import hashlib
import json
from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError
from offline_envs.files import new_folder, seal, verify
from offline_envs.files.seals import SEAL_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_folder(tmp_path / "checkpoint") as part:
        (part / "agent.zip").write_bytes(b"agent")
        (part / "below").mkdir()
        (part / "below" / "buffer.pkl").write_bytes(b"buffer")
        seal(part)
    return tmp_path / "checkpoint"


def test_a_sealed_folder_is_accepted_and_its_checksums_are_those_of_the_files(folder: Path) -> None:
    verify(folder)
    files = json.loads((folder / SEAL_FILE).read_text())["files"]
    assert set(files) == {"agent.zip", "below/buffer.pkl"}
    assert files["agent.zip"] == {"size": 5, "sha256": hashlib.sha256(b"agent").hexdigest()}


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
    with pytest.raises(CheckpointError, match=r"holds no checksums\.json"):
        verify(folder)


def test_a_file_that_was_not_sealed_is_ignored(folder: Path) -> None:
    (folder / "foreign").write_text("x")
    verify(folder)
