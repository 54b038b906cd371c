from pathlib import Path

import pytest

from offline_envs.errors import CheckpointError
from offline_envs.files import cached, locked, write_text


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
