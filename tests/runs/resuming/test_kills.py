"""A run that is killed at any of its file operations ends, when it is resumed, as if it had not been."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.algorithms import model_based
from tests.kills import check_kills
from tests.mutations import check_mutations
from tests.runs.resuming.test_resume import parameters, settings_of


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A checkpoint at every evaluation, no pictures, and one thread, as a fork has no others."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr("offline_envs.runs.callback.CHECKPOINT_SECONDS", 0.0)
    for name in ("plot_learning_curve", "plot_predicted_return", "plot_model_error"):
        monkeypatch.setattr(model_based, name, lambda *args: None)
    yield
    torch.set_num_threads(n_threads)


def outcome(folder: Path) -> Any:
    """Every weight of both policies, and every figure but the seconds."""
    run = RunFolder(folder)
    policies = [parameters(run.policies / f"{which}_policy.zip") for which in ("best", "last")]
    plain = [
        {name: v.numpy().tobytes() if isinstance(v, torch.Tensor) else v for name, v in policy.items()}
        for policy in policies
    ]
    return plain, [replace(row, seconds=0.0) for row in run.read_metrics()], run.result()


@pytest.mark.parametrize(("kind", "kills_each"), [("sac", 1), ("sac", 2), ("rambo", 1), ("morel", 1)])
def test_a_run(kind: str, kills_each: int, tiny_model: Path, tmp_path: Path) -> None:
    settings, folder = settings_of(kind, tiny_model), tmp_path / "run"

    def work() -> Any:
        train(settings, folder, resume=True, show_progress=False)
        shutil.rmtree(
            folder / "tensorboard", ignore_errors=True
        )  # each part of a run has a file of its own there
        return outcome(folder)

    assert check_kills(tmp_path, work, kills_each=kills_each) > 5


def test_a_damaged_complete_run_is_refused_or_unchanged(settings: TrainSettings, tmp_path: Path) -> None:
    train(settings, tmp_path, show_progress=False)
    run = RunFolder(tmp_path)

    def read() -> Any:
        return train(settings, tmp_path, resume=True, show_progress=False), outcome(tmp_path)

    for name in ("result.json", "metrics.csv", "checksums.json", "policies/best_policy.zip"):
        assert check_mutations(run.path / name, read).refused > 5
    for path in sorted(run.model.iterdir()):
        assert check_mutations(path, read).refused > 5
