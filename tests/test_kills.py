"""Work that is killed at any file operation ends, when it is called again, as if it had not been."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import pytest

from offline_envs.collect import CollectSettings, Kind, collect_dataset, write_relabelled
from offline_envs.dynamics import (
    disagreement_stats,
    ensemble_folder,
    fit,
    fitted_ensemble,
    fitted_termination,
    store,
)
from offline_envs.dynamics.fitting import training
from offline_envs.errors import DatasetError
from offline_envs.files import cached, json_checksum, write_json
from offline_envs.tasks import Relabelling
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions
from tests.exact import exact, exact_dataset
from tests.kills import N_KILLS, check_kills, one_thread, run_at_once
from tests.tasks.simulated import simulated
from tests.toy import spreading_ensemble, toy_transitions

DATA = linear_transitions()
HDF5 = ((h5py.Group, "create_dataset"), (h5py.File, "close"))


@pytest.fixture(autouse=True)
def forkable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(store, "_loaded", {})
    monkeypatch.setattr(training, "SECONDS_BETWEEN_WRITES", 0.0)
    with one_thread():
        yield


def test_a_fit(tmp_path: Path) -> None:
    def work() -> Any:
        ensemble, report = fit(DATA, TINY, fit_settings=QUICK, folder=tmp_path / "fit", progress=False)
        return exact(ensemble.state_dict()), report.holdout_history

    assert check_kills(tmp_path, work) > 5


@pytest.mark.parametrize("kills_each", [1, 2])
def test_the_cache(tmp_path: Path, kills_each: int) -> None:
    def work() -> Any:
        store._loaded.clear()
        ensemble = fitted_ensemble(DATA, TINY, fit_settings=QUICK, cache_dir=tmp_path, progress=False)
        stats = disagreement_stats(
            spreading_ensemble(), toy_transitions(), cache_dir=tmp_path, progress=False
        )
        return exact(ensemble.state_dict()), stats

    assert check_kills(tmp_path, work, kills_each=kills_each) > 5


def test_six_processes_on_one_cold_cache_make_one_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin at once, and all load what one of them fitted."""
    fits = []

    def counted(*arguments: Any, **options: Any) -> Any:
        fits.append(1)
        return fit(*arguments, **options)

    monkeypatch.setattr(store, "fit", counted)

    def work() -> str:
        ensemble = fitted_ensemble(DATA, TINY, fit_settings=QUICK, cache_dir=tmp_path, progress=False)
        return f"{len(fits)} {json_checksum(repr(exact(ensemble.state_dict())))}"

    said = [line.split() for line in run_at_once(6, work)]
    assert sorted(n_fits for n_fits, _ in said) == ["0", "0", "0", "0", "0", "1"]
    assert len({checksum for _, checksum in said}) == 1
    (left,) = (tmp_path / "ensembles").iterdir()
    assert left == ensemble_folder(DATA, TINY, fit_settings=QUICK, cache_dir=tmp_path)


def test_a_termination_head(tmp_path: Path) -> None:
    data = linear_transitions(60)

    def work() -> Any:
        return exact(fitted_termination(data, cache_dir=tmp_path, progress=False).state_dict())

    assert check_kills(tmp_path, work, n=5) > 3


def test_results_in_folders(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        write_json(path, {"a": 1})

    def work() -> Any:
        return cached(tmp_path / "deep" / "x.json", make=make, load=lambda path: path.read_text())

    assert check_kills(tmp_path, work, n=40) > 5


def unless_there(write: Callable[[], Any], folder: Path) -> dict[str, Any]:
    """Write a dataset, or be refused because the kill came after it was in its place, and read it."""
    with suppress(DatasetError):
        write()
    return exact_dataset(folder)


@pytest.mark.parametrize("kind", [Kind.RANDOM, Kind.EXPERT])
def test_a_collection(tmp_path: Path, kind: Kind) -> None:
    train_steps = 60 if kind is Kind.EXPERT else None
    settings = CollectSettings(kind, 60, net_arch=(8,), train_steps=train_steps)

    def write() -> Any:
        return collect_dataset(
            "InvertedPendulum-v5",
            "test/it-v0",
            settings=settings,
            output_root=tmp_path,
            checkpoint_steps=20,
        )

    def work() -> Any:
        return unless_there(write, tmp_path / "test" / "it-v0")

    assert check_kills(tmp_path, work, also=HDF5, n=N_KILLS if kind is Kind.RANDOM else N_KILLS // 3) > 2


def test_a_relabelled_dataset(tmp_path: Path) -> None:
    found = Relabelling.of(simulated("HalfCheetah-v5", 250).transitions, "halfcheetah-jump")

    def work() -> Any:
        return unless_there(
            lambda: write_relabelled(found, "test/it-v0", root=tmp_path), tmp_path / "test" / "it-v0"
        )

    assert check_kills(tmp_path, work, also=HDF5) > 5
