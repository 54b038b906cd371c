import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from offline_envs.errors import StorageError
from offline_envs.files import (
    clear_file_parts,
    clear_leftovers,
    copy_folder,
    new_file,
    new_folder,
    put_back,
    write_text,
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_complete_or_is_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old – ä")
    with suppress(RuntimeError), new_file(path) as part:
        part.write_text("half")
        assert path.read_text(encoding="utf-8") == "old – ä"
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old – ä"
    assert names(path.parent) == {"file.txt"}
    with new_file(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"), new_file(tmp_path / "file"):
        pass
    assert names(tmp_path) == set()


def test_a_folder_appears_complete_or_is_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    with new_folder(folder) as part:
        (part / "a").write_text("1")
        (part / "below").mkdir()
        (part / "below" / "b").write_text("2")
        assert not folder.exists()
    with suppress(KeyboardInterrupt), new_folder(folder) as part:
        (part / "a").write_text("3")
        raise KeyboardInterrupt
    assert (folder / "a").read_text() == "1"
    assert names(folder.parent) == {"model"}
    with new_folder(folder) as part:
        (part / "a").write_text("4")
    assert names(folder) == {"a"}  # nothing of the old one is left in it
    assert names(folder.parent) == {"model"}


def test_a_kill_between_the_two_renames_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL runs no `finally`; here the second rename and everything after it are left out."""
    folder = tmp_path / "model"
    with new_folder(folder) as part:
        (part / "a").write_text("old")
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name == ".model.part":
            raise SystemExit
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    monkeypatch.setattr("offline_envs.files.writing.put_back", lambda folder: None)
    with pytest.raises(SystemExit), new_folder(folder) as part:
        (part / "a").write_text("new")
    monkeypatch.undo()
    assert not folder.exists()
    put_back(folder)
    assert (folder / "a").read_text() == "old"
    put_back(folder)  # nothing to do
    assert names(tmp_path) == {"model"}


def test_the_next_version_replaces_one_that_was_left_aside(tmp_path: Path) -> None:
    (tmp_path / ".model.old").mkdir()
    (tmp_path / ".model.old" / "a").write_text("aside")
    with new_folder(tmp_path / "model") as part:
        (part / "a").write_text("new")
    assert (tmp_path / "model" / "a").read_text() == "new"
    assert names(tmp_path) == {"model"}


def test_leftovers_of_killed_processes_are_cleared_by_the_owner(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    for name in ("checkpoint", ".checkpoint.part", ".checkpoint.part-1x", ".checkpoint.old", ".other.part"):
        (tmp_path / name).mkdir()
    for name in (".checkpoint.123.part", ".checkpoint.123@host.part"):
        (tmp_path / name).touch()
    clear_leftovers(folder)
    assert names(tmp_path) == {"checkpoint", ".other.part"}


def test_only_unfinished_files_directly_in_a_folder_are_cleared_by_its_owner(tmp_path: Path) -> None:
    kept = {"a", ".b.part", ".c.7.part", ".d.old", ".e.lock", "below", "below/.a.123@host.part"}
    (tmp_path / "below").mkdir()
    for name in (*(kept - {"below"}), ".a.123@host.part"):
        (tmp_path / name).touch()
    clear_file_parts(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == kept
    clear_file_parts(tmp_path / "none")  # nothing to do


def test_names_with_brackets_are_names_and_no_patterns(tmp_path: Path) -> None:
    for name in (".run[1].part", ".run1.part"):
        (tmp_path / name).mkdir()
    clear_leftovers(tmp_path / "run[1]")
    assert names(tmp_path) == {".run1.part"}
    with new_folder(tmp_path / "run[1]") as part:
        (part / "a").write_text("1")
    assert names(tmp_path) == {".run1.part", "run[1]"}


def test_entries_of_folders_are_flushed_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose content is on the disk but whose name is not is lost with the power."""
    synced: list[tuple[str, set[str]]] = []
    monkeypatch.setattr(
        "offline_envs.files.writing.sync",
        lambda path: synced.append((path.name, names(tmp_path))) if path == tmp_path else None,
    )
    write_text(tmp_path / "a", "1")
    assert synced == [(tmp_path.name, {"a"})]
    with new_folder(tmp_path / "b"):
        pass
    assert synced[-1] == (tmp_path.name, {"a", "b", ".b.lock"})


def test_a_copy_is_complete(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "below" / "a").write_text("1")
    copy_folder(source, tmp_path / "target")
    assert (tmp_path / "target" / "below" / "a").read_text() == "1"
    with pytest.raises(FileNotFoundError):
        copy_folder(tmp_path / "nowhere", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_killed_process_left_of_a_file_is_deleted_by_the_next_one(tmp_path: Path) -> None:
    """A living process, one on another machine and one of another file may still need theirs."""
    host, dead = socket.gethostname(), dead_process()
    kept = {f".a.{os.getppid()}@{host}.part", f".a.{dead}@elsewhere.part", f".b.{dead}@{host}.part"}
    for name in (*kept, f".a.{dead}@{host}.part"):
        (tmp_path / name).touch()
    write_text(tmp_path / "a", "1")
    assert names(tmp_path) == {"a", *kept}


def dead_process() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid
