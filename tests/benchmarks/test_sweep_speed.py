from pathlib import Path
from typing import Any

import pytest

from offline_envs.dynamics import EnsembleSettings, fit
from offline_envs.runs import train
from offline_envs.sweep import cells
from tests.benchmarks.test_benchmarks import cells as rows_of
from tests.benchmarks.test_benchmarks import script
from tests.runs.tiny import DEMO


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = script("sweep_speed", monkeypatch)
    small = EnsembleSettings(n_members=2, n_elites=1, hidden=(8,))
    monkeypatch.setattr(found, "fit", lambda data, **options: fit(data, small, **options))
    return found


def test_runs_in_processes_of_their_own_are_those_of_train(benchmark: Any, tmp_path: Path) -> None:
    config = benchmark.sweep_of(DEMO, benchmark.fitted(DEMO, 1, tmp_path / "model"), runs=1, steps=10)
    [cell] = cells(config)
    alone = train(cell.settings, tmp_path / "alone", show_progress=False)
    assert benchmark.in_turn(config, tmp_path / "turn", threads=1) == {"runs/seed-0": alone.real_return}


def test_the_first_row_is_what_the_others_are_compared_with(
    benchmark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.show({"in turn": 30.0, "at once": 12.0}, "title")
    assert rows_of(capsys.readouterr().out) == [["in turn", "30", "1.00"], ["at once", "12", "2.50"]]


def test_runs_that_end_differently_are_not_compared(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "in_turn", lambda config, folder, threads: {"runs/seed-0": 1.0})
    monkeypatch.setattr(benchmark, "by_ray", lambda config, folder: {"runs/seed-0": 1.5})
    with pytest.raises(SystemExit, match="ended differently"):
        benchmark.main(dataset=DEMO, runs=1, steps=2, epochs=1, cores=2)
