"""Errors of the system are one line: what could not be written, why, and the setting that moves it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_envs.errors import OfflineEnvsError, StorageError
from offline_envs.files import (
    check_writable,
    copy_folder,
    locked,
    moved_by,
    new_file,
    new_folder,
    storage_errors,
    write_bytes,
)


def full(*args: object, **keywords: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def folder_with(path: Path) -> None:
    with new_folder(path) as part:
        (part / "a").write_bytes(b"1")


def file_at(path: Path) -> None:
    write_bytes(path, b"1")


WRITERS: list[Callable[[Path], None]] = [file_at, folder_with]


FILE_OPERATIONS = [(file_at, "fsync"), (file_at, "replace")]
FOLDER_OPERATIONS = [(folder_with, "fsync"), (folder_with, "mkdir"), (folder_with, "rename")]


@pytest.mark.parametrize(("write", "broken"), FILE_OPERATIONS + FOLDER_OPERATIONS)
def test_a_full_disk_is_one_line_and_leaves_what_was_there(
    tmp_path: Path, write: Callable[[Path], None], broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x"
    write(target)
    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OfflineEnvsError) as caught:
        write(target)
    monkeypatch.undo()
    assert isinstance(caught.value, StorageError)
    assert str(caught.value) == f"Cannot write {target}: No space left on device."
    assert target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_where_a_folder_has_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for write in WRITERS:
        with pytest.raises(StorageError, match=r"Cannot write .*file/x: (File exists|Not a directory)\."):
            write(tmp_path / "file" / "x")
    with pytest.raises(StorageError, match="Cannot write"), locked(tmp_path / "file/x", busy=lambda: None):
        pass


def test_a_folder_where_a_file_has_to_be(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        write_bytes(tmp_path / "x", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_while_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No space left on device"), storage_errors(tmp_path / "x"):
        Path("/dev/full").write_bytes(bytes(10_000))


def test_a_folder_that_is_removed_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with pytest.raises(StorageError, match="No such file"), new_file(tmp_path / "deep" / "x"):
        (tmp_path / "deep").rmdir()


def test_errors_about_other_files_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        copy_folder(Path("/no/where"), tmp_path / "x")
    assert not isinstance(caught.value, StorageError)
    with pytest.raises(ConnectionError), storage_errors(tmp_path / "x"):
        raise ConnectionError("no network")


def test_the_setting_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught, moved_by("--folder"), moved_by("cache_dir="):
        write_bytes(tmp_path / "file" / "x", b"")
    assert str(caught.value).endswith(" cache_dir= chooses another place.")
    assert "--folder" not in str(caught.value)


def test_a_place_is_checked_without_making_anything(tmp_path: Path) -> None:
    check_writable(tmp_path / "some" / "where", "--output")
    check_writable(tmp_path, "--output")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    why = f"Cannot write {tmp_path}/file/a: {tmp_path}/file is not a folder."
    with pytest.raises(StorageError) as caught:
        check_writable(tmp_path / "file" / "a", "--output")
    assert str(caught.value) == f"{why} --output chooses another place."


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_file_system_that_cannot_be_written_is_refused() -> None:
    """Even to root, to whom `os.access` says that it may."""
    with pytest.raises(StorageError, match=r"Cannot write /proc/new: .* HOME chooses another place"):
        check_writable(Path("/proc/new"), "HOME")


def test_a_full_disk_is_noticed_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        check_writable(tmp_path, "--output")


def test_brackets_in_a_path_are_printed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "[red]").touch()
    with pytest.raises(StorageError, match=r"/\[red\]/x: "):
        write_bytes(tmp_path / "[red]" / "x", b"")
