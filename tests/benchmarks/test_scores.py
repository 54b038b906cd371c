"""`benchmarks/scores.py`: what is archived of runs, and the tables that are made from it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.test_benchmarks import script

METRICS = (
    "gradient_steps,timesteps,real_return,real_std,real_length,normalized_score,predicted_return,seconds\n"
)


def saved_run(
    folder: Path, final: float, returns: list[float], chosen: int | None = None, scored: str = ""
) -> Path:
    """Files of a complete run on a batch of mean 100 and best 200."""
    folder.mkdir()
    rows = [f"{1000 * i},0,{value},0,{value / 2},{scored},,1\n" for i, value in enumerate(returns, start=1)]
    result: dict[str, Any] = {
        "dataset_mean": 100.0,
        "dataset_best": 200.0,
        "real_return": final,
        "normalized_score": None,
    }
    if chosen is not None:
        result |= {"chosen_by": "model_raw", "chosen_step": chosen, "normalized_score": 99.0}
    (folder / "metrics.csv").write_text(METRICS + "".join(rows))
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "settings.json").write_text(json.dumps({"model": "/somewhere/model-a", "seed": 0}))
    return folder


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scores = script("scores", monkeypatch)
    path = tmp_path / "runs.zip"
    scores.add(path, "hills/ours/seed-0", saved_run(tmp_path / "a", 150.0, [120.0, 140.0]))
    scores.add(path, "hills/ours/seed-1", saved_run(tmp_path / "b", 250.0, [160.0, 180.0]))
    scores.add(path, "hills/BC/seed-0", saved_run(tmp_path / "c", 100.0, [90.0, 110.0]))
    scores.add(path, "valleys/BC/seed-0", saved_run(tmp_path / "d", 200.0, [200.0]))
    scores.add(path, "valleys/ours/seed-0", saved_run(tmp_path / "e", 200.0, [180.0]))
    scores.add(path, "valleys/ours/seed-1", saved_run(tmp_path / "g", 220.0, [190.0]))
    scores.add(path, "hills/old/seed-0", saved_run(tmp_path / "f", 130.0, [130.0]))
    return path


def test_tables_by_hand(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script("scores", monkeypatch).show(archive, images=tmp_path / "images")
    printed = capsys.readouterr().out
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if "|" in line]
    assert ["BC", "1", "100", "", "100 ± 10", "110"] in lines
    assert ["ours", "2", "200 ± 50", "", "150 ± 22", "180"] in lines
    assert ["batch: mean; best", "100; 200", "100; 200"] in lines
    assert ["BC", "100; 100 ± 10", "200; 200"] in lines
    assert ["ours", "200 ± 50; 150 ± 22", "210 ± 10; 185 ± 5"] in lines
    assert ["old", "130; 130", ""] in lines
    assert ["BC", "2", "50", "", "50", ""] in lines  # one seed a dataset: nothing to draw again
    assert ["ours", "4", "110", "75 to 135", "75", "55 to 80"] in lines
    assert [line[0] for line in lines].count("old") == 2  # no mean over datasets: it lacks one
    drawn = {path.name for path in (tmp_path / "images").iterdir()}
    assert drawn == {"curves_hills.png", "curves_valleys.png", "profiles.png"}


def test_a_dataset_with_more_seeds_counts_no_more_than_the_others(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = script("scores", monkeypatch)
    scores.add(archive, "valleys/BC/seed-1", saved_run(tmp_path / "more", 900.0, [900.0]))
    scores.show(archive)
    assert "| BC | 2 | 50 |  | 50 |  |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (1000, ["ours", "1", "160", "7.0", "150 ± 10", "160"]),  # the last evaluation, not the chosen policy
        (2000, ["ours", "1", "250", "99.0", "150 ± 10", "160"]),
    ],
)
def test_of_a_run_that_ended_in_an_earlier_policy_the_last_one_counts(
    chosen: int,
    line: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores, archive = script("scores", monkeypatch), tmp_path / "runs.zip"
    scores.add(archive, "hills/ours/seed-0", saved_run(tmp_path / "a", 250.0, [140.0, 160.0], chosen, "7"))
    scores.show(archive)
    printed = capsys.readouterr().out
    assert line in [[cell.strip() for cell in row.split("|")[1:-1]] for row in printed.splitlines()]


def test_the_archive_says_nothing_of_folders_elsewhere(archive: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        assert len(zipped.namelist()) == 21
        assert json.loads(zipped.read("hills/BC/seed-0/settings.json"))["model"] == "model-a"


def test_the_same_runs_give_the_same_bytes(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = archive.read_bytes()
    script("scores", monkeypatch).add(archive, "hills/BC/seed-0", tmp_path / "c")
    assert archive.read_bytes() == before


def test_names_and_incomplete_runs_are_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = script("scores", monkeypatch)
    with pytest.raises(ValueError, match="dataset/method/seed-n"):
        scores.add(archive, "hills", tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        scores.add(archive, "hills/BC/seed-3", tmp_path)
