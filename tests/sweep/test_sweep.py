import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.runs import RunFolder, train
from offline_envs.sweep import SweepConfig, cell_results, cells, run_sweep, write_results
from offline_envs.sweep.launcher import Report, Stopped
from offline_envs.sweep.ray_launcher import _as_in
from offline_envs.sweep.sweep import STOPPED, planned, stopped_runs, sweep_with
from tests.runs.tiny import DEMO, ENSEMBLE, FIT

SETTINGS: dict[str, Any] = {
    "dataset": DEMO,
    "gradient_steps": 4,
    "horizon": 2,
    "n_envs": 4,
    "transitions_per_gradient_step": 4.0,
    "eval_every": 2,
    "eval_episodes": 1,
    "final_episodes": 1,
    "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16},
    "ensemble": ENSEMBLE,
    "fit": FIT,
}
GRID: dict[str, Any] = {"penalty_coef": [0.5, 1.0], "seed": [0, 1]}


class StoppedError(Exception):
    """Ends a run early."""


class InProcess:
    """Calls one task after the other; stops, or loses the process of, runs whose names it is given."""

    def __init__(self, stop: Sequence[str] = (), lose: Sequence[str] = ()) -> None:
        self.stop, self.lose, self.fits, self.runs = stop, lose, 0, list[str]()

    def fit(self, function: Callable[[Any], None], tasks: Sequence[Any]) -> None:
        for task in tasks:
            self.fits += 1
            function(task)

    def train(
        self, function: Callable[[Any, Report], None], tasks: Mapping[str, Any], steps: int, stopped: Stopped
    ) -> None:
        assert steps == 4
        for name, task in tasks.items():
            self.runs.append(name)

            def report(row: Mapping[str, Any], folder: Path, name: str = name) -> None:
                assert (folder / "metrics.csv").exists()
                assert row["gradient_steps"] < 4  # what is complete cannot be stopped
                if name in (*self.stop, *self.lose) and row["gradient_steps"] == 2:
                    raise StoppedError

            try:
                function(task, report)
            except StoppedError:
                if name in self.stop:
                    stopped(name, 2)


@pytest.fixture(scope="module")
def config() -> SweepConfig:
    return SweepConfig(SETTINGS, GRID)


def test_one_fit_is_shared_and_runs_are_those_of_train(config: SweepConfig, tmp_path: Path) -> None:
    launcher, found = InProcess(), cells(config)
    sweep_with(launcher, planned(found, tmp_path / "sweep"), tmp_path / "sweep")
    assert launcher.fits == 1
    (model,) = (tmp_path / "sweep" / "models").iterdir()
    alone = train(found[3].settings, tmp_path / "alone", show_progress=False)
    results = [RunFolder(tmp_path / "sweep" / cell.name).result() for cell in found]
    assert results[3] == alone
    assert len({result.real_return for result in results}) > 1
    assert RunFolder(tmp_path / "sweep" / found[3].name).settings().model == str(model)


def test_processes_that_evaluate_know_what_is_prepared(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr("offline_envs.sweep.sweep.train", lambda *_, prepare, **__: given.append(prepare))
    sweep_with(InProcess(), planned(cells(config), tmp_path), tmp_path, prepare := partial(print, end=""))
    assert given == [prepare] * 4


def test_the_same_call_resumes_what_was_lost_and_leaves_the_rest(config: SweepConfig, tmp_path: Path) -> None:
    found = cells(config)
    first, second = found[0].name, found[1].name
    sweep_with(InProcess(stop=[first], lose=[second]), planned(found, tmp_path), tmp_path)
    assert (tmp_path / STOPPED).exists()
    (row, other) = sorted(cell_results(found, tmp_path), key=lambda row: row.group)
    assert (row.stopped, row.missing, row.results) == ((2,), 1, ())
    assert (other.stopped, other.missing, len(other.results)) == ((), 0, 2)
    again = InProcess()
    sweep_with(again, planned(found, tmp_path), tmp_path)
    assert (again.fits, again.runs) == (0, [second])
    row = cell_results(found, tmp_path)[-1]
    assert len(row.results) in (1, 2)
    assert sum(row.missing for row in cell_results(found, tmp_path)) == 0


def test_what_was_stopped_is_kept_when_another_run_fails(config: SweepConfig, tmp_path: Path) -> None:
    class Failing(InProcess):
        def train(self, *arguments: Any) -> None:
            super().train(*arguments)
            raise OfflineEnvsError("1 of 4 runs failed")

    found = cells(config)
    first = found[0].name
    with pytest.raises(OfflineEnvsError, match="1 of 4"):
        sweep_with(Failing(stop=[first]), planned(found, tmp_path), tmp_path)
    assert stopped_runs(tmp_path) == {first: 2}


def test_trials_find_the_names_and_the_directory_of_who_starts_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    inside = _as_in(Path.cwd(), lambda: seen.append("prepared"), lambda: seen.append(Path.cwd()))
    elsewhere = _as_in(tmp_path / "on another machine", None, lambda: seen.append(Path.cwd()))
    before = Path.cwd()
    monkeypatch.chdir(tmp_path)
    inside()
    elsewhere()
    assert seen == ["prepared", before, tmp_path.resolve()]


def test_a_relative_folder_is_one_below_where_the_sweep_is_started(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials of Tune have working directories of their own."""
    folders: list[Path] = []

    def launcher(resources: Any, stop: Any, retries: int, folder: Path, *others: None) -> InProcess:
        folders.append(folder)
        return InProcess()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("offline_envs.sweep.sweep.RayLauncher", launcher)
    one = SweepConfig(SETTINGS, {"seed": [0]})
    run_sweep(one, Path("runs"))
    assert folders == [tmp_path / "runs"]
    settings = RunFolder(tmp_path / "runs" / "runs" / "seed-0").settings()
    assert Path(str(settings.model)).is_absolute()


def test_results_are_written(config: SweepConfig, tmp_path: Path) -> None:
    found = cells(config)
    sweep_with(InProcess(stop=[found[0].name]), planned(found, tmp_path), tmp_path)
    rows = cell_results(found, tmp_path)
    write_results(rows, tmp_path)
    table = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert [line["combination"] for line in table] == [row.group for row in rows]
    whole = next(line for line in table if line["combination"] == "penalty_coef=1.0")
    returns = [RunFolder(tmp_path / cell.name).result().real_return for cell in found[2:]]
    assert float(whole["real_return"]) == pytest.approx(sum(returns) / 2, abs=0.01)
    assert (tmp_path / "returns.png").stat().st_size > 1000


def test_another_sweep_does_not_go_into_the_same_folder(config: SweepConfig, tmp_path: Path) -> None:
    sweep_with(InProcess(), planned(cells(config), tmp_path), tmp_path)
    other = SweepConfig({**SETTINGS, "horizon": 4}, GRID)
    with pytest.raises(SettingsError, match="horizon differ"):
        run_sweep(other, tmp_path)


def test_without_ray_it_says_what_to_install(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'offline-envs\[sweep\]'"):
        run_sweep(config, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_shared_by_what_it_is_fitted_to(tmp_path: Path) -> None:
    """Two readings of one table are two datasets, whatever else the runs have in common."""
    rows = [f"{0.1 * t},0,0,{0.5 * t},{t},{-t}" for t in range(4)]
    (tmp_path / "log.csv").write_text("\n".join(["x,y,w,torque,cost,gain", *rows]) + "\n")
    columns = {"obs": ["x", "y", "w"], "action": ["torque"], "episode": False, "terminated": False}
    config = SweepConfig(
        {"dataset": str(tmp_path / "log.csv"), "columns": columns, "env_id": "Pendulum-v1"},
        {"columns.reward": ["cost", "gain"], "penalty_coef": [1.0, 2.0]},
    )
    with pytest.warns(UserWarning, match="1 of 4 rows are dropped"):
        runs = planned(cells(config), tmp_path)
    models = [run.model for run in runs]
    assert models[0] == models[1] != models[2] == models[3]
