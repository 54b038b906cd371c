from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError, StorageError
from offline_envs.files import cached, lock_of, locked, unfinished, write_text


def test_a_result_is_computed_once(tmp_path: Path) -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        write_text(path, "3")

    for _ in range(2):
        assert cached(tmp_path / "deep" / "result", make=make, load=lambda path: int(path.read_text())) == 3
    assert made == [tmp_path / "deep" / "result"]


def test_a_result_that_another_process_made_meanwhile_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "result"
    other = locked(path.with_suffix(".lock"), busy=lambda: None)
    other.__enter__()

    def finish(text: str, *, shown: bool) -> None:
        assert f"Waiting for another process to make {path}" in text
        assert shown
        write_text(path, "5")
        other.__exit__(None, None, None)

    def make(path: Path) -> None:
        raise AssertionError(f"made {path} a second time")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offline_envs.files.cache.say", finish)
        assert cached(path, make=make, load=lambda path: int(path.read_text())) == 5


def test_the_error_for_a_damaged_result_says_to_delete_it(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_text("x")

    def load(path: Path) -> int:
        raise CheckpointError(f"{path} is damaged.")

    with pytest.raises(CheckpointError, match=rf"damaged\. Delete {path} to compute it again\."):
        cached(path, make=lambda path: None, load=load)


def test_what_killed_processes_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    """Killed in the middle, and killed after the result was there but before everything else was gone."""
    path = tmp_path / "result"

    def make(path: Path) -> None:
        assert {place.name for place in tmp_path.iterdir()} == {"result.lock", "result.partial"}
        write_text(path, "3")

    for _ in range(2):
        unfinished(path).mkdir()
        for name in (".result.part", ".result.old"):
            (tmp_path / name).mkdir()
        (tmp_path / ".result.123.part").touch()
        lock_of(path).touch()
        if not path.exists():
            (tmp_path / ".result.old").rmdir()  # a folder set aside without a successor would be put back
        assert cached(path, make=make, load=lambda path: path.read_text()) == "3"
        assert {place.name for place in tmp_path.iterdir()} == {"result"}


def test_nothing_is_cleared_while_a_process_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.touch()
    unfinished(path).mkdir()
    with locked(lock_of(path), busy=lambda: None):
        cached(path, make=lambda path: None, load=lambda path: None)
    assert unfinished(path).is_dir()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def make(path: Path) -> None:
        raise AssertionError("worked in vain")

    with pytest.raises(StorageError, match=r"Cannot write .*deep: .*file is not a folder\."):
        cached(tmp_path / "file" / "deep" / "result", make=make, load=lambda path: None)
