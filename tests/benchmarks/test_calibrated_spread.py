from pathlib import Path

import pytest

from offline_envs.data import load_transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, fit, save_model
from tests.benchmarks.test_benchmarks import cells, script
from tests.runs.tiny import DEMO


def test_the_calibrated_mixture_covers_more_nearly_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = script("calibrated_spread", monkeypatch)
    data = load_transitions(DEMO)
    fit_settings = FitSettings(max_epochs=3, learning_rate=4e-3, schedule="cosine")
    ensemble, report = fit(data, EnsembleSettings(hidden=(32, 32)), fit_settings=fit_settings, progress=False)
    save_model(tmp_path / "model", ensemble, transitions=data, fit_settings=fit_settings, report=report)
    monkeypatch.setenv("COLUMNS", "140")
    benchmark.main(DEMO, tmp_path / "model", windows=50)
    rows = {row[0]: row[1:] for row in cells(capsys.readouterr().out)}
    before, after = (float(text.rstrip("%")) for text in rows["in 50% intervals, second half"][:2])
    assert abs(after - 50) < abs(before - 50)
    likelihoods = [float(text) for text in rows["NLL an output"][:2]]
    assert likelihoods[1] < likelihoods[0]
    errors = [float(text) for text in rows["observation, 1 steps, dataset"]]
    assert errors[2] < errors[1] < errors[0]
    assert len(rows) == 4 + 6
