import os
import signal
import tempfile
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.plugins import load_plugins
from offline_envs.runs import RunFolder, SeedResults, TrainSettings, run_seeds
from tests.runs.test_sent_errors import ROOT, refuse
from tests.runs.tiny import tiny_settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds, trained one after another in this process."""
    folder = tmp_path_factory.mktemp("alone")
    run_seeds(tiny_settings(model=str(tiny_model)), [0, 1, 2], folder, show_progress=False)
    return folder


def learned(folder: Path) -> dict[str, Any]:
    """What a run has learned: its evaluations without their times, and its result."""
    run = RunFolder(folder)
    rows = [{**vars(row), "seconds": None} for row in run.read_metrics()]
    return {"rows": rows, "result": run.result()}


def at_once(settings: TrainSettings, seeds: list[int], folder: Path, **options: Any) -> SeedResults:
    return run_seeds(settings, seeds, folder, processes=2, show_progress=False, **options)


def test_runs_in_processes_end_like_runs_in_this_one(
    settings: TrainSettings, alone: Path, tmp_path: Path
) -> None:
    started: list[int] = []
    told: list[tuple[str, int]] = []

    def noted(row: Mapping[str, Any], folder: Path) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((folder.name, row["gradient_steps"]))

    options: dict[str, Any] = {
        "callbacks": [noted],
        "on_start": lambda run: started.append(run.settings.seed),
        "prepare": partial(tempfile.mkdtemp, prefix="process-", dir=tmp_path),
    }
    found = at_once(settings, [2, 0, 1], tmp_path, **options)
    assert [result.seed for result in found.results] == started == [2, 0, 1]
    assert sorted(told) == [(f"seed-{seed}", steps) for seed in range(3) for steps in (2, 4, 6)]
    for seed in range(3):
        assert learned(tmp_path / f"seed-{seed}") == learned(alone / f"seed-{seed}")
    assert len(list(tmp_path.glob("process-*"))) == 3
    told.clear()
    assert at_once(settings, [2, 0, 1], tmp_path, resume=True, **options) == found
    assert told == []  # what is complete is only read


@pytest.mark.parametrize("by_signal", [True, False])
def test_stopped_runs_resume_and_the_next_seed_does_not_start(
    by_signal: bool, settings: TrainSettings, alone: Path, tmp_path: Path
) -> None:
    """Stopped by a signal, or by a callback that fails."""

    def stop(row: Mapping[str, Any], folder: Path) -> None:
        del row, folder  # Unused.
        if not by_signal:
            raise RuntimeError("enough")
        if not asked:
            asked.append(True)
            os.kill(os.getpid(), signal.SIGTERM)

    asked: list[bool] = []
    expected = KeyboardInterrupt if by_signal else RuntimeError
    with pytest.raises(expected, match=None if by_signal else "enough"):
        at_once(settings, [0, 1, 2], tmp_path, callbacks=[stop])
    assert not (tmp_path / "seed-2").exists()
    run_seeds(settings, [0, 1, 2], tmp_path, resume=True, show_progress=False)
    for seed in range(3):
        assert learned(tmp_path / f"seed-{seed}") == learned(alone / f"seed-{seed}")


def test_the_error_of_a_process_and_its_death_are_raised(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)  # the process imports `refuse`
    with pytest.raises(SettingsError, match="got 'no_such_plugin'") as raised:
        at_once(settings, [0], tmp_path, prepare=partial(load_plugins, ["no_such_plugin"]))
    assert raised.value.__notes__ == [f"This ended the run in {tmp_path / 'seed-0'}."]
    with pytest.raises(OfflineEnvsError, match="CodedError: the licence server refused"):
        at_once(settings, [0], tmp_path, prepare=refuse)
    with pytest.raises(OfflineEnvsError, match="died with status 7"):
        at_once(settings, [0], tmp_path, prepare=partial(os._exit, 7))
    with pytest.raises(SettingsError, match="processes must be at least 1, got 0"):
        run_seeds(settings, [0], tmp_path, processes=0)
