import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import torch

from offline_envs.compare import (
    ESTIMATORS,
    CompareSettings,
    Comparison,
    Evidence,
    compare_runs,
    find_policies,
    write_comparison,
)
from offline_envs.dynamics import load_ensemble, save_model
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.files import key_of, locked
from offline_envs.runs import RunFolder
from offline_envs.sb3 import LAST_POLICY
from tests.compare.fake_runs import SMALL, fake_run

ALL = ["model", "penalized", "fqe", "dr", "wdr", "is", "pdis", "wis", "wpdis"]


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of real returns 100 and 200, and one that is not complete."""
    root = tmp_path_factory.mktemp("runs")
    known = {"a/seed-0": 100.0, "a/seed-1": 200.0, "b": None}
    return [
        fake_run(root / name, seed, model=tiny_model, real_return=value)
        for seed, (name, value) in enumerate(known.items())
    ]


@pytest.fixture(scope="module")
def made(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    """A comparison of them by every estimator, and its folder."""
    folder = tmp_path_factory.mktemp("made") / "comparison"
    found = compare_runs(runs, folder, SMALL)
    write_comparison(found, folder)
    return found, folder


def test_every_estimator_judges_every_policy(made: tuple[Comparison, Path]) -> None:
    found, _ = made
    assert list(ESTIMATORS) == ALL
    assert list(found.estimates) == ["a/seed-0", "a/seed-1", "b"]
    for estimates in found.estimates.values():
        assert list(estimates) == ALL
        assert all(np.isfinite(estimate.value) for estimate in estimates.values())
        assert {n: e.gamma for n, e in estimates.items()} == {
            n: 1.0 if n in ("model", "penalized") else 0.99 for n in ALL
        }
        assert {n: e.horizon for n, e in estimates.items() if n in ("model", "fqe", "dr")} == {
            "model": 1000,
            "fqe": None,
            "dr": 5,
        }
        assert estimates["penalized"].value < estimates["model"].value
    assert found.verdict.startswith(("Better than a draw (mean regret 50)", "No rule chose better"))


def test_model_based_estimates_are_those_of_the_run_s_model(
    runs: list[Path], made: tuple[Comparison, Path], tmp_path: Path
) -> None:
    judged = find_policies(runs)[0]
    evidence = Evidence(judged, judged.settings.transitions(), SMALL, tmp_path)
    again = evidence.imagined
    assert made[0].estimates["a/seed-0"]["model"] == again.estimate(pessimistic=False)
    assert again.raw.shape == (5, 2)
    assert bool((again.lengths <= 1000).all())


def test_figures_and_plot_are_written(made: tuple[Comparison, Path]) -> None:
    found, folder = made
    figures = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert [policy["real_return"] for policy in figures["policies"]] == [100.0, 200.0, None]
    assert figures["policies"][0]["estimates"]["fqe"]["estimates"] == "discounted by 0.99, until the end"
    assert [rule["rule"] for rule in figures["rules"]] == [*ALL, "lower_bound", "torel"]
    assert figures["verdict"] == found.verdict
    assert set(figures["rules"][0]["scores"]) == {"a/seed-0", "a/seed-1", "b"}
    picture = matplotlib.image.imread(folder / "comparison.png")
    assert np.ptp(picture[..., :3]) > 0.5


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def judge(evidence: Evidence) -> Any:
        pytest.fail(f"an estimate of {evidence.judged.name} was made again")

    entries = {n: replace(e, judge=judge) if n in names else e for n, e in ESTIMATORS.items()}
    monkeypatch.setattr(ESTIMATORS, "_entries", entries)


def test_the_same_call_reads_what_there_is(
    runs: list[Path], made: tuple[Comparison, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, *ALL)
    said: list[str] = []
    again = compare_runs(runs[::-1], made[1], SMALL, say=said.append)
    assert again.estimates == {name: made[0].estimates[name] for name in ("b", "a/seed-1", "a/seed-0")}
    assert said == []


def test_an_interrupted_comparison_continues(
    runs: list[Path], made: tuple[Comparison, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the last estimator of the second policy."""

    def stop(evidence: Evidence) -> Any:
        if evidence.judged.name == "a/seed-1":
            raise KeyboardInterrupt
        return ESTIMATORS["wdr"].judge(evidence)

    with monkeypatch.context() as patch:
        patch.setattr(
            ESTIMATORS, "_entries", {**ESTIMATORS, "wpdis": replace(ESTIMATORS["wpdis"], judge=stop)}
        )
        with pytest.raises(KeyboardInterrupt):
            compare_runs(runs, tmp_path / "out", SMALL, estimators=["fqe", "wpdis"])
    said: list[str] = []
    found = compare_runs(runs, tmp_path / "out", SMALL, estimators=["fqe", "wdr"], say=said.append)
    assert said == ["a/seed-0: wdr …", "a/seed-1: wdr …", "b: fqe …", "b: wdr …"]
    for name, estimates in found.estimates.items():
        assert estimates == {n: made[0].estimates[name][n] for n in ("fqe", "wdr")}


def test_other_settings_and_damaged_files_are_estimated_again(
    runs: list[Path], made: tuple[Comparison, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made[1], folder)
    judged = made[0].policies[2]
    key = key_of(Evidence(judged, judged.settings.transitions(), SMALL, folder).identity)
    (folder / "estimates" / key / "fqe.json").write_text("{")
    said: list[str] = []
    compare_runs(runs, folder, SMALL, estimators=["fqe"], say=said.append)
    assert said == ["b: fqe …"]
    compare_runs(runs, folder, replace(SMALL, seed=1), estimators=["fqe"], say=said.append)
    assert said[1:] == ["a/seed-0: fqe …", "a/seed-1: fqe …", "b: fqe …"]


def test_a_run_from_another_folder_renames_all_and_estimates_one(
    runs: list[Path], made: tuple[Comparison, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given as texts, one of them from the home folder."""
    folder = tmp_path / "copy"
    shutil.copytree(made[1], folder)
    shutil.copytree(runs[0], tmp_path / "elsewhere" / "c")
    monkeypatch.setenv("HOME", str(tmp_path))
    said: list[str] = []
    found = compare_runs(
        [*map(str, runs), "~/elsewhere/c"], str(folder), SMALL, estimators=["fqe"], say=said.append
    )
    assert all(name not in made[0].estimates for name in found.estimates)
    assert said == []  # the new one is a copy


def test_runs_without_a_model_lack_model_based_estimates(
    tiny_model: Path, tmp_path: Path, runs: list[Path]
) -> None:
    bare = fake_run(tmp_path / "bare", 3, model=None, real_return=1.0)
    with pytest.warns(UserWarning, match=r"trained in one model, .*bare in none: .*--model"):
        found = compare_runs([bare, runs[0]], tmp_path / "out", SMALL, estimators=["model"])
    assert [list(estimates) for estimates in found.estimates.values()] == [[], ["model"]]
    judged = compare_runs(
        [bare, runs[0]], tmp_path / "out", replace(SMALL, model=str(tiny_model)), estimators=["model"]
    )
    assert all("model" in estimates for estimates in judged.estimates.values())


def test_runs_in_different_models_are_warned_of(tiny_model: Path, tmp_path: Path, runs: list[Path]) -> None:
    other = load_ensemble(tiny_model).copy()  # the loaded one is shared
    with torch.no_grad():
        next(iter(other.parameters())).add_(1e-3)
    save_model(tmp_path / "model", other)
    run = fake_run(tmp_path / "run", 0, model=tmp_path / "model", real_return=None)
    with pytest.warns(UserWarning, match="in 2 different models"):
        compare_runs([run, runs[0]], tmp_path / "out", SMALL, estimators=["model"])


def test_runs_that_cannot_be_compared_are_refused(tiny_model: Path, tmp_path: Path, runs: list[Path]) -> None:
    with pytest.raises(SettingsError, match="at least two different runs"):
        find_policies(runs[:1])
    with pytest.raises(SettingsError, match="at least two different runs"):
        find_policies([runs[0], runs[0].parent / "seed-0"])
    other = fake_run(tmp_path / "other", 0, model=None, real_return=None, env_id="InvertedDoublePendulum-v5")
    with pytest.raises(SettingsError, match=r"differs from .* in env_id"):
        find_policies([runs[0], other])
    read = fake_run(tmp_path / "read", 0, model=None, real_return=None, columns={"reward": "cost"})
    with pytest.raises(SettingsError, match=r"differs from .* in columns"):
        find_policies([runs[0], read])
    with pytest.raises(CheckpointError, match="is not the folder of a run"):
        find_policies([runs[0], tmp_path / "none"])
    empty = RunFolder(fake_run(tmp_path / "empty", 0, model=None, real_return=None))
    shutil.rmtree(empty.policies)
    with pytest.raises(CheckpointError, match="holds no policy yet"):
        find_policies([runs[0], empty.path])
    altered = RunFolder(fake_run(tmp_path / "altered", 0, model=None, real_return=1.0))
    (altered.policies / LAST_POLICY).write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated or altered"):
        find_policies([runs[0], altered.path])


def test_a_folder_of_seeds_stands_for_its_runs(runs: list[Path]) -> None:
    assert [p.name for p in find_policies([runs[0].parent])] == ["seed-0", "seed-1"]


def test_folders_that_hold_something_else_or_are_in_use_are_refused(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="holds something else than a comparison"):
        compare_runs(runs, tmp_path, SMALL)
    with locked(tmp_path / "out" / ".lock", busy=lambda: None), pytest.raises(SettingsError, match="in use"):
        compare_runs(runs, tmp_path / "out", SMALL, estimators=["model"])
    with pytest.raises(SettingsError, match="Unknown estimator 'magic'"):
        compare_runs(runs, tmp_path / "new", SMALL, estimators=["magic"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"episodes": 0}, "episodes must be at least 1"),
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"gamma": 1.0}, "gamma must be below 1"),
        ({"bandwidth": "wide"}, "Unknown bandwidth"),
        ({"bandwidth": 0.0}, "bandwidth must be positive"),
        ({"environment": "Hopper-v5"}, "Unknown environment"),
        ({"env_settings": {"penalty_coef": -1.0}}, "penalty_coef must be 0 or more"),
        ({"fitted_q": {"gamma": 0.9}}, "fitted_q cannot hold 'gamma'"),
        ({"behaviour": {"hiden": []}}, "Unknown setting of BehaviourSettings 'hiden'"),
        ({"bootstrap": {"level": 2.0}}, "level must lie between 0 and 1"),
        ({"seed": -1}, "seed must lie in"),
    ],
)
def test_settings_that_are_not_valid_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CompareSettings(**setting)
