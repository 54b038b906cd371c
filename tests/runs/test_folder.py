import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_envs.dynamics import read_model_card, save_model
from offline_envs.errors import CheckpointError, SettingsError, StorageError
from offline_envs.runs import RunFolder, TrainResult, TrainSettings
from offline_envs.runs.results import MetricsRow
from tests.toy import toy_ensemble

SETTINGS = TrainSettings("a-v0", ensemble={"hidden": [8]})
RESULT = TrainResult(3, 1.0, 2.0, 3.0, 4.0, 0.5, 20, None, None, None, 0, 100)


def run_folder(path: Path, settings: TrainSettings = SETTINGS) -> RunFolder:
    """A run that has come as far as its first checkpoint."""
    run = RunFolder(path)
    run.create(settings)
    save_model(run.model, toy_ensemble())
    run.checkpoint.mkdir()
    return run


def test_everything_written_comes_back(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "deep/run")
    rows = [MetricsRow(1, 2, 3.0, 4.0, 5.0, None, 6.0, 7.0)]
    run.write_metrics(rows)
    run.write_result(RESULT)
    assert (run.settings().to_json(), run.read_metrics(), run.result()) == (SETTINGS.to_json(), rows, RESULT)
    json.loads(run.result_file.read_text(), parse_constant=pytest.fail)  # NaN would not be JSON.


def test_a_result_without_checksums_of_the_other_files_is_refused(tmp_path: Path) -> None:
    """Otherwise whoever loses one file loses the protection of all."""
    run = run_folder(tmp_path)
    run.write_result(RESULT)
    (tmp_path / "checksums.json").unlink()
    with pytest.raises(CheckpointError, match=r"holds no checksums\.json"):
        run.result()


def test_versions_are_recorded(tmp_path: Path) -> None:
    run_folder(tmp_path)
    versions = json.loads((tmp_path / "versions.json").read_text())
    assert {"python", "offline-envs", "gymnasium", "torch", "stable-baselines3"} <= set(versions)


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    with pytest.raises(SettingsError, match=r"holds a run already. Resume it \(--resume\)"):
        run.check(SETTINGS, resume=False)
    run.check(SETTINGS, resume=True)
    with pytest.raises(SettingsError, match="other settings: horizon, seed differ"):
        run.check(replace(SETTINGS, seed=4, horizon=2), resume=True)
    run.create(replace(SETTINGS, seed=4))
    assert run.settings().to_json() == SETTINGS.to_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [("choose", "model"), ("standardize_obs", True), ("clone_loss", "likelihood"), ("history", 2)],
)
def test_a_setting_that_is_left_out_on_resuming_is_another_one(name: str, value: Any, tmp_path: Path) -> None:
    """Files leave these out at their default; a run that went on by it would mix two kinds of policies."""
    changed = replace(SETTINGS, **{name: value})
    run = run_folder(tmp_path, changed)
    with pytest.raises(SettingsError, match=f"other settings: {name} differ"):
        run.check(SETTINGS, resume=True)
    run.check(changed, resume=True)


def test_a_run_without_progress_may_start_anew(tmp_path: Path) -> None:
    """A model alone is none: it is a copy, and it may be that of other settings."""
    run = run_folder(tmp_path)
    run.checkpoint.rmdir()
    other = replace(SETTINGS, seed=4)
    run.check(other, resume=False)
    run.create(other)
    assert run.settings().to_json() == other.to_json()
    assert not run.model.exists()


def test_a_run_keeps_the_model_in_its_folder_if_its_settings_name_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the only one left, e.g. of a run that was stopped before its first evaluation."""
    run = run_folder(tmp_path / "run")
    run.checkpoint.rmdir()
    monkeypatch.chdir(tmp_path)
    for path in ("run/model", str(run.path / ".." / "run" / "model")):
        settings = replace(SETTINGS, model=path, ensemble={})
        run.check(settings, resume=False)
        run.create(settings)
        assert read_model_card(run.model)["settings"]["n_members"] == 3  # those of the toy ensemble
    below = replace(SETTINGS, model=str(run.model / "mine"), ensemble={})
    with pytest.raises(SettingsError, match=r"must not lie inside .*run/model, .* got .*/mine\. Move it"):
        run.check(below, resume=False)


def test_the_same_model_at_another_path_is_no_other_setting(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", replace(SETTINGS, model="before/model", ensemble={}))
    save_model(tmp_path / "moved", toy_ensemble())
    run.check(replace(SETTINGS, model=str(tmp_path / "moved"), ensemble={}), resume=True)
    save_model(tmp_path / "other", toy_ensemble(elites=(1,)))
    with pytest.raises(SettingsError, match="other settings: model differ"):
        run.check(replace(SETTINGS, model=str(tmp_path / "other"), ensemble={}), resume=True)


def test_a_run_clears_only_what_runs_write(tmp_path: Path) -> None:
    """The folder may be one that the user works in, with hidden files of other programs."""
    theirs = [".env", ".env.old", ".yarn.lock", ".a.part", "sub/.b.old", "sub/.metrics.csv.1@host.part"]
    ours = [".metrics.csv.1@host.part", "policies/.last_policy.zip.1@host.part", ".model.lock", ".model.part"]
    for name in (*theirs, *ours):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with RunFolder(tmp_path).claimed():
        pass
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {*theirs, "policies", "sub"}


def test_a_folder_of_something_else_keeps_its_files(tmp_path: Path) -> None:
    """A checkpoint beside a result would be deleted at once, a model as soon as the run starts."""
    run = RunFolder(tmp_path)
    save_model(run.model, toy_ensemble())
    (tmp_path / "notes").touch()
    run.check(replace(SETTINGS, model=str(run.model), ensemble={}), resume=False)
    with pytest.raises(SettingsError, match="holds model, but no settings of a run"):
        run.check(SETTINGS, resume=True)
    run.checkpoint.mkdir()
    with pytest.raises(SettingsError, match="holds model, checkpoint, but no settings"):
        run.check(SETTINGS, resume=True)


def test_settings_of_another_program_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"editor.tabSize": 4}')
    with pytest.raises(CheckpointError, match=r"is not the folder of a run.*'editor\.tabSize'"):
        RunFolder(tmp_path).check(SETTINGS, resume=False)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.touch()
    with pytest.raises(SettingsError, match="is a file"):
        RunFolder(path).check(SETTINGS, resume=False)


def test_a_place_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"is not a folder\. folder= \(--folder\) chooses another place"):
        RunFolder(tmp_path / "file" / "run").check(SETTINGS, resume=False)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    with pytest.raises(CheckpointError, match="holds no complete run"):
        run.result()
    for text in ("{", "[]", '{"datset": 1}'):
        run.settings_file.write_text(text)
        with pytest.raises(CheckpointError, match="is not the folder of a run"):
            run.settings()


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path)
    run.write_json(run.result_file, {"old": 1})

    def full_disk(self: Path, text: str, encoding: str) -> None:
        self.write_bytes(text[:1].encode())
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="disk full"):
        run.write_json(run.result_file, {"new": 1})
    assert json.loads(run.result_file.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [run.result_file]
