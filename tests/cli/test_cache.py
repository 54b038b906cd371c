"""What is cached is listed with what it is for, and deleted when asked; never what a process works on."""

import os
import time
from pathlib import Path

import pytest

from offline_envs.dynamics import (
    cache_entries,
    cache_folder,
    disagreement_stats,
    ensemble_folder,
    fit,
    fitted_ensemble,
    fitted_termination,
)
from offline_envs.files import lock_of, locked, unfinished
from tests.cli.runner import succeed
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions
from tests.toy import spreading_ensemble, toy_transitions

DATA = linear_transitions()


@pytest.fixture
def folder() -> Path:
    """A model, a head, a disagreement, and what a kill left beside the model."""
    fitted_ensemble(DATA, TINY, fit_settings=QUICK, progress=False)
    fitted_termination(DATA, seed=3, progress=False)
    disagreement_stats(spreading_ensemble(), toy_transitions(), progress=False)
    folder = ensemble_folder(DATA, TINY, fit_settings=QUICK)
    lock_of(folder).touch()
    unfinished(folder).mkdir()
    (unfinished(folder) / "x").write_bytes(bytes(1000))
    folder.with_name(f".{folder.name}.part").mkdir()
    return folder


def kinds() -> list[str]:
    return sorted(entry.kind for entry in cache_entries())


RESULTS = ["disagreement", "ensemble", "termination head"]


@pytest.mark.usefixtures("folder")
def test_what_is_cached_is_listed_with_what_it_is_for() -> None:
    output = succeed("cache", "list")
    for text in ("ensemble", "termination head", "disagreement", "linear", "n_members=3", "seed 3"):
        assert text in output
    assert DATA.fingerprint[:8] in output
    assert "members all, units std" in output
    assert kinds() == [*RESULTS[:2], "leftover", "leftover", "leftover", RESULTS[2]]


@pytest.mark.usefixtures("folder")
def test_the_size_is_that_of_the_files() -> None:
    files = [path for path in cache_folder().rglob("*") if path.is_file()]
    last = succeed("cache", "size").splitlines()[-1]
    assert last == f"total: 6, {sum(f.stat().st_size for f in files) / 1e6:.2f} MB in {cache_folder()}"


def test_without_options_only_leftovers_are_deleted(folder: Path) -> None:
    (folder.parent / "thesis.tex").write_text("precious")
    output = succeed("cache", "prune")
    assert f"Deleted leftover: {unfinished(folder)}" in output
    assert output.splitlines()[-1] == "deleted: 3, 0.00 MB"
    assert kinds() == RESULTS
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, "thesis.tex"}


def test_old_results_are_deleted_when_asked(folder: Path) -> None:
    succeed("cache", "prune", "--older-than", "1")
    assert kinds() == RESULTS
    before = time.time() - 2 * 86_400
    for file in folder.iterdir():
        os.utime(file, (before, before))
    assert f"Deleted ensemble of linear: {folder}" in succeed("cache", "prune", "--older-than", "1")
    assert kinds() == ["disagreement", "termination head"]


@pytest.mark.usefixtures("folder")
def test_everything_is_deleted_when_asked() -> None:
    succeed("cache", "prune", "--all")
    assert [path for path in cache_folder().rglob("*") if path.is_file()] == []


def test_what_a_living_process_works_on_is_kept(folder: Path) -> None:
    with locked(lock_of(folder), busy=lambda: None):
        output = succeed("cache", "prune", "--all")
        assert f"Kept ensemble of linear: {folder}" in output
        assert unfinished(folder).is_dir()
    assert kinds() == ["ensemble", "leftover", "leftover"]


def test_an_interrupted_fit_is_work_and_no_leftover() -> None:
    folder = ensemble_folder(DATA, TINY, fit_settings=QUICK)
    fit(DATA, TINY, fit_settings=QUICK, folder=unfinished(folder), progress=False)
    assert kinds() == ["interrupted fit"]
    assert "3 epochs done" in succeed("cache", "list")
    succeed("cache", "prune")
    assert kinds() == ["interrupted fit"]


def test_a_damaged_result_is_listed_as_such(folder: Path) -> None:
    (folder / "model.json").write_text("{}")
    assert "damaged" in succeed("cache", "list")


def test_an_empty_cache_is_listed() -> None:
    assert str(cache_folder().name) in succeed("cache", "list")
    assert succeed("cache", "prune") == "deleted: 0, 0.00 MB\n"
