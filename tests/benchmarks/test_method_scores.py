"""`benchmarks/method_scores.py`: every method on every batch, under settings chosen once."""

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offline_envs.runs import RunFolder, TrainSettings
from tests.benchmarks.test_ablation import SMALL
from tests.benchmarks.test_benchmarks import script
from tests.runs.tiny import DEMO


def test_every_method_has_valid_settings_that_differ_between_batches_in_the_data_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = script("method_scores", monkeypatch)
    batches = list(scores.BATCHES.values())
    for method in scores.METHODS.values():
        runs = [scores.cell_settings({**scores.COMMON, **batch}, method.settings) for batch in batches]
        assert all(isinstance(run, TrainSettings) for run in runs)
        plain = [run.to_json() | {"dataset": "", "task": None} for run in runs]
        assert all(run == plain[0] for run in plain)


def test_a_penalty_takes_a_fifth_of_the_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    methods = script("method_scores", monkeypatch).METHODS
    paid = {name for name, method in methods.items() if "penalty_coef" in method.settings}
    assert paid == {"mopo", "mopo-trpo", "morec"}
    for name in paid:
        assert methods[name].settings["penalty_coef"] == 0.2
        assert methods[name].settings["penalty_scale"] == "reward"


def test_runs_are_trained_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = script("method_scores", monkeypatch)
    monkeypatch.setitem(scores.BATCHES, "demo", {"dataset": DEMO})
    app, archive = scores.typer.Typer(), tmp_path / "kept.zip"
    app.command()(scores.main)
    small = {name: value for name, value in SMALL.items() if name != "penalty_coef"} | {"gradient_steps": 4}

    def call() -> None:
        where = ["--folder", str(tmp_path), "--archive", str(archive), "--threads", "0"]
        methods = ["--methods", "bc,mopo", "--seeds", "0,1", "--settings", json.dumps(small)]
        found = CliRunner().invoke(app, ["demo", *methods, *where])
        assert found.exit_code == 0, found.output

    call()
    with zipfile.ZipFile(archive) as zipped:
        kept = {name.rsplit("/", 1)[0] for name in zipped.namelist()}
        saved = json.loads(zipped.read("demo/MOPO/seed-1/settings.json"))
    assert kept == {f"demo/{method}/seed-{seed}" for method in ("BC", "MOPO") for seed in (0, 1)}
    assert (saved["penalty_coef"], saved["seed"], saved["horizon"]) == (0.2, 1, 2)
    run = RunFolder(tmp_path / "demo" / "mopo" / "seed-1")
    written = run.result_file.stat().st_mtime_ns
    call()
    assert run.result_file.stat().st_mtime_ns == written


def test_methods_share_a_model_that_is_given_in_place_of_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = script("method_scores", monkeypatch)
    started: dict[str, TrainSettings] = {}
    monkeypatch.setattr(scores, "run_cells", lambda runs, seeds, folder: started.update(runs))
    app = scores.typer.Typer()
    app.command()(scores.main)
    arguments = ["hopper-replay", "--model", "fitted", "--threads", "0"]
    found = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code == 0
    assert set(started) == set(scores.METHODS)
    assert all(run.model == ("fitted" if name != "bc" else None) for name, run in started.items())
    assert all(run.fit == {} for run in started.values())


def test_an_unknown_batch_or_method_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = script("method_scores", monkeypatch)
    app = scores.typer.Typer()
    app.command()(scores.main)
    for arguments, message in (
        (["hoper"], "Unknown batch 'hoper'"),
        (["hopper-replay", "--methods", "mop"], "'mop'"),
    ):
        assert message in str(CliRunner().invoke(app, arguments).exception)
