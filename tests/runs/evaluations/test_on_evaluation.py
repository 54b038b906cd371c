from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.callbacks import ProgressBarCallback

from offline_envs.errors import SettingsTypeError
from offline_envs.runs import OnEvaluation, RunFolder, TrainSettings, run_seeds, train
from offline_envs.sb3 import SB3VecEnv
from tests.runs.resuming.test_resume import assert_same
from tests.runs.test_training import forbid
from tests.runs.tiny import tiny_settings


class PrunedError(Exception):
    """What a library for tuning raises."""


def prune_at(step: int) -> OnEvaluation:
    def prune(row: Mapping[str, Any], folder: Path) -> None:
        if row["gradient_steps"] == step:
            raise PrunedError

    return prune


def steps_seen(settings: TrainSettings, folder: Path, *more: OnEvaluation, **options: Any) -> list[int]:
    """Gradient steps of the evaluations that a callback is given before others."""
    seen: list[int] = []
    callbacks = [lambda row, folder: seen.append(row["gradient_steps"]), *more]
    try:
        train(settings, folder, show_progress=False, callbacks=callbacks, **options)
    except PrunedError:
        seen.append(-1)
    return seen


@pytest.fixture(params=["mopo", "bc"])
def each_settings(request: pytest.FixtureRequest, settings: TrainSettings) -> TrainSettings:
    """A run with a model, and one without."""
    return settings if request.param == "mopo" else tiny_settings(algorithm="bc")


def test_a_callback_is_given_each_row_once_it_is_written(
    each_settings: TrainSettings, tmp_path: Path
) -> None:
    given: list[Mapping[str, Any]] = []

    def record(row: Mapping[str, Any], folder: Path) -> None:
        run = RunFolder(folder)
        assert asdict(run.read_metrics()[-1]) == row
        assert run.final_policy().is_file()
        given.append(row)

    train(each_settings, str(tmp_path / "run"), show_progress=False, callbacks=[record])
    assert given == [asdict(row) for row in RunFolder(tmp_path / "run").read_metrics()]
    assert [row["gradient_steps"] for row in given] == [2, 4, 6]


@pytest.mark.parametrize("step", [2, 6])
def test_a_run_that_a_callback_stopped_resumes_as_if_it_had_not(
    step: int, settings: TrainSettings, tmp_path: Path
) -> None:
    """In the middle, and at the last evaluation."""
    train(settings, tmp_path / "whole", show_progress=False)
    folder = tmp_path / "stopped"
    before, after = [s for s in (2, 4, 6) if s <= step], [s for s in (2, 4, 6) if s > step]
    assert steps_seen(settings, folder, prune_at(step)) == [*before, -1]
    assert RunFolder(folder).checkpoint.is_dir()
    assert not RunFolder(folder).result_file.exists()
    assert steps_seen(settings, folder, prune_at(step), resume=True) == after
    assert_same(tmp_path / "whole", folder)


def test_what_a_callback_raises_says_how_to_resume(each_settings: TrainSettings, tmp_path: Path) -> None:
    with pytest.raises(PrunedError) as raised:
        train(each_settings, tmp_path, show_progress=False, callbacks=[prune_at(4)])
    (note,) = raised.value.__notes__
    assert f"stopped the run in {tmp_path} after 4 gradient steps" in note
    assert "resume=True" in note
    assert steps_seen(each_settings, tmp_path, resume=True)[-1] == 6


def test_a_complete_run_has_nothing_to_tell(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps_seen(settings, tmp_path) == [2, 4, 6]
    forbid(monkeypatch, SB3VecEnv, "step_wait")
    assert steps_seen(settings, tmp_path, resume=True) == []


def test_callbacks_of_seeds_are_told_the_folder(settings: TrainSettings, tmp_path: Path) -> None:
    seen: list[str] = []
    callbacks = [lambda row, folder: seen.append(folder.name)]
    run_seeds(settings, [0, 3], str(tmp_path), show_progress=False, callbacks=callbacks)
    assert seen == ["seed-0"] * 3 + ["seed-3"] * 3


def test_what_is_no_function_is_refused_before_anything_is_written(
    settings: TrainSettings, tmp_path: Path
) -> None:
    wrong: Any = [ProgressBarCallback.__new__(ProgressBarCallback)]
    with pytest.raises(SettingsTypeError, match=r"callbacks must be functions .* got ProgressBarCallback"):
        train(settings, tmp_path / "run", callbacks=wrong)
    assert not (tmp_path / "run").exists()


def test_a_folder_may_be_below_the_users_own(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    result = train(settings, "~/run", show_progress=False)
    assert RunFolder(tmp_path / "run").result() == result
    assert RunFolder("~/run") == RunFolder(tmp_path / "run")
