from pathlib import Path

import pytest

from offline_envs.collect.work_folder import LOCK_FILE, SETTINGS_FILE, claimed, remove, unfinished_folder
from offline_envs.errors import DatasetError, SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An unfinished folder with one checkpoint."""
    folder = unfinished_folder("some/where/it-v0", tmp_path)
    with claimed(folder, {"seed": 1, "widths": (8, 4)}):
        pass
    (folder / "recording" / "0000000010").mkdir(parents=True)
    return folder


def test_the_folder_is_hidden_beside_the_datasets_place(tmp_path: Path) -> None:
    assert unfinished_folder("some/where/it-v0", tmp_path) == tmp_path / "some/where/.it-v0.partial"
    assert unfinished_folder("it-v0", tmp_path) == tmp_path / ".it-v0.partial"


def test_the_same_settings_find_what_was_done(folder: Path) -> None:
    """JSON has no tuples; what was one is still the same setting."""
    with claimed(folder, {"seed": 1, "widths": (8, 4)}):
        assert (folder / "recording" / "0000000010").is_dir()


def test_what_differs_is_named(folder: Path) -> None:
    other = claimed(folder, {"seed": 2, "widths": (8, 5)})
    with (
        pytest.raises(SettingsError, match=r"other settings: seed, widths differ\. Use the same settings"),
        other,
    ):
        pass


def test_two_processes_do_not_share_a_folder(folder: Path) -> None:
    """A lock belongs to the open file, so that the same process can act as another one."""
    identity = {"seed": 1, "widths": (8, 4)}
    second = claimed(folder, identity)
    with claimed(folder, identity), pytest.raises(DatasetError, match="is in use"), second:
        pass
    with claimed(folder, identity):
        pass


def test_a_half_removed_folder_is_never_resumed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints may be missing in it: a dataset made from the rest would lack their episodes."""

    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("offline_envs.collect.work_folder.shutil.rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        remove(folder)
    monkeypatch.undo()
    with claimed(folder, {"seed": 2}):
        assert {path.name for path in folder.iterdir()} == {SETTINGS_FILE, LOCK_FILE}
