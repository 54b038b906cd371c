"""No break of a file that this package writes is loaded in silence: refused, or the same contents."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from offline_envs.collect import CollectSettings, Kind, collect_dataset, collection
from offline_envs.collect.recorded_phase import RecordedPhase
from offline_envs.collect.work_folder import claimed
from offline_envs.dynamics import (
    disagreement_stats,
    ensemble_folder,
    fit,
    fitted_ensemble,
    fitted_termination,
    store,
)
from offline_envs.dynamics.fitting.fit_state import STATE_FILE
from tests.dynamics.linear_data import QUICK, TINY, linear_transitions
from tests.exact import exact, exact_dataset
from tests.mutations import N_MUTATIONS, check_mutations
from tests.toy import spreading_ensemble, toy_ensemble, toy_transitions

DATA = linear_transitions()
WORK = CollectSettings(Kind.REPLAY, 160, net_arch=(8,))


@pytest.fixture(autouse=True)
def not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every file again."""
    monkeypatch.setattr(store, "_loaded", {})


def load_fitted(cache: Path, *, seed: int = 0) -> dict[str, Any]:
    store._loaded.clear()
    settings = replace(QUICK, seed=seed)
    model = fitted_ensemble(DATA, TINY, fit_settings=settings, cache_dir=cache, progress=False)
    return exact(model.state_dict()) | {"card": model.card()}


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_fitted_ensemble(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (0, 1):
        load_fitted(tmp_path, seed=seed)
    first, second = (
        ensemble_folder(DATA, TINY, fit_settings=replace(QUICK, seed=seed), cache_dir=tmp_path)
        for seed in (0, 1)
    )
    counts = check_mutations(first / name, lambda: load_fitted(tmp_path), others=[second / name])
    assert counts.refused > counts.same


def test_a_termination_head(tmp_path: Path) -> None:
    def load(seed: int = 0) -> dict[str, Any]:
        head = fitted_termination(DATA, seed=seed, cache_dir=tmp_path, progress=False)
        return exact(head.state_dict())

    load()
    (path,) = (tmp_path / "terminations").iterdir()
    load(1)
    (other,) = set((tmp_path / "terminations").iterdir()) - {path}
    refusing_to_compute(path, load, others=[other])


def test_a_disagreement(tmp_path: Path) -> None:
    def load(model: Any = None) -> dict[str, Any]:
        model = model or spreading_ensemble()
        return disagreement_stats(model, toy_transitions(), cache_dir=tmp_path, progress=False).to_json()

    load()
    (path,) = (tmp_path / "disagreements").iterdir()
    load(toy_ensemble())
    (other,) = set((tmp_path / "disagreements").iterdir()) - {path}
    refusing_to_compute(path, load, others=[other])


def refusing_to_compute(path: Path, load: Callable[[], Any], *, others: list[Path]) -> None:
    """A deleted result is computed again, and is the same; everything else is refused."""
    counts = check_mutations(path, load, others=others)
    assert counts.refused > counts.same


def test_the_state_of_a_fit(tmp_path: Path) -> None:
    """Continued from a broken state a fit would end in other members, or other elites."""
    folders = {seed: tmp_path / str(seed) for seed in (0, 1)}
    for seed, folder in folders.items():
        fit(DATA, TINY, fit_settings=replace(QUICK, seed=seed), folder=folder, progress=False)

    def load() -> dict[str, Any]:
        ensemble, report = fit(DATA, TINY, fit_settings=QUICK, folder=folders[0], progress=False)
        return exact(ensemble.state_dict()) | {"elites": report.elites}

    counts = check_mutations(folders[0] / STATE_FILE, load, others=[folders[1] / STATE_FILE])
    assert counts.refused > counts.same


def collect(root: Path, *, kind: Kind = Kind.RANDOM, seed: int = 0, stop_at: int | None = None) -> Path:
    steps = iter(range(1, 10_000))

    def on_step() -> None:
        if next(steps) == stop_at:
            raise KeyboardInterrupt

    settings = replace(WORK, kind=kind, seed=seed)
    try:
        return collect_dataset(
            "InvertedPendulum-v5",
            "test/it-v0",
            settings=settings,
            output_root=root,
            checkpoint_steps=40,
            on_step=on_step,
        ).folder
    except KeyboardInterrupt:
        return root / "test" / ".it-v0.partial"


@pytest.mark.parametrize("name", ["main_data.hdf5", "metadata.json"])
def test_a_collected_dataset(tmp_path: Path, name: str) -> None:
    folders = [collect(tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    path, other = (folder / "data" / name for folder in folders)
    counts = check_mutations(path, lambda: exact_dataset(folders[0]), others=[other])
    assert counts.refused > 0


def read_work(folder: Path, scratch: Path) -> dict[str, Any]:
    """Everything that a collection resumes from, read from a copy of its folder."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(folder, scratch)
    env = gym.make("InvertedPendulum-v5")
    with claimed(scratch, collection._identity(env, WORK)):
        phase = RecordedPhase(scratch / "recording", env, steps=WORK.steps)
        if not phase.done:
            return {"begins again": True}
        phase.restore_generators()
        episodes = [np.asarray(episode.observations).tobytes() for episode in phase.episodes()]
        read = {path.name: path.read_bytes() for path in phase.checkpoints[-1].iterdir()}
    del read["checksums.json"]
    return {"done": phase.done, "episodes": episodes, "env": env.unwrapped.np_random.random()} | read


def test_the_work_folder_of_a_collection(tmp_path: Path) -> None:
    """Of each file of the newest checkpoint, and of the episodes of the first."""
    folder, other = (
        collect(tmp_path / str(seed), kind=Kind.REPLAY, seed=seed, stop_at=95) for seed in (0, 1)
    )
    checkpoints = sorted((folder / "recording").iterdir())
    files = [*checkpoints[-1].iterdir(), checkpoints[0] / "episodes.npz"]
    assert {"episodes.npz", "generators.json", "agent.zip", "checksums.json"} <= {p.name for p in files}
    refused = 0
    for path in files:
        others = sorted(other.rglob(path.name))[-1:]
        counts = check_mutations(
            path, lambda: read_work(folder, tmp_path / "copy"), others=others, n=N_MUTATIONS // 4
        )
        refused += counts.refused
    assert refused > 5 * len(files)


def test_the_settings_of_a_collection(tmp_path: Path) -> None:
    """Without them it begins again; with other ones it is refused."""
    folder, other = (
        collect(tmp_path / str(seed), kind=Kind.REPLAY, seed=seed, stop_at=90) for seed in (0, 1)
    )

    def load() -> bool:
        return bool(read_work(folder, tmp_path / "copy"))

    path = folder / "settings.json"
    counts = check_mutations(path, load, others=[other / "settings.json"], n=N_MUTATIONS // 2)
    assert counts.refused > counts.same
