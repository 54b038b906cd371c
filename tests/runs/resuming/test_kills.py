"""A run that is killed at any of its file operations ends, when it is resumed, as if it had not been."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import SAC

from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.algorithms import learning
from offline_envs.runs.resuming.checkpoint import load_checkpoint
from offline_envs.sb3 import SB3VecEnv
from tests.exact import exact
from tests.kills import check_kills, one_thread
from tests.mutations import N_MUTATIONS, check_mutations
from tests.runs.resuming.test_resume import leaves, parameters, settings_of, signalled
from tests.runs.tiny import DEMO


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A checkpoint at every evaluation, no pictures, and one thread."""
    monkeypatch.setattr("offline_envs.runs.evaluations.callback.CHECKPOINT_SECONDS", 0.0)
    for name in ("plot_learning_curve", "plot_predicted_return", "plot_model_error"):
        monkeypatch.setattr(learning, name, lambda *args: None)
    with one_thread():
        yield


def outcome(folder: Path) -> Any:
    """Every weight of both policies, and every figure but the seconds."""
    run = RunFolder(folder)
    policies = [parameters(run.policies / f"{which}_policy.zip") for which in ("best", "last")]
    return (
        [exact(policy) for policy in policies],
        [replace(row, seconds=0.0) for row in run.read_metrics()],
        run.result(),
    )


@pytest.mark.parametrize(("kind", "kills_each"), [("sac", 1), ("sac", 2), ("rambo", 1), ("morel", 1)])
def test_a_run(kind: str, kills_each: int, tiny_model: Path, tmp_path: Path) -> None:
    settings, folder = settings_of(kind, tiny_model), tmp_path / "run"

    def work() -> Any:
        train(settings, folder, resume=True, show_progress=False)
        # Each part of a run has a file of its own there.
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
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


def test_a_damaged_checkpoint_is_refused_or_unchanged(
    settings: TrainSettings, tmp_path: Path, tiny_model: Path
) -> None:
    """Nothing in it is unpickled before its checksums fit."""
    with signalled(signal.SIGINT, at_step=3), pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path, show_progress=False)
    folder = RunFolder(tmp_path).checkpoint

    def read() -> Any:
        envs = gym.make_vec("PenalizedModel-v0", 4, dataset=DEMO, model=tiny_model, progress=False)
        vec_env = SB3VecEnv(envs)
        agent: Any = load_checkpoint(SAC, folder, vec_env, device="cpu")
        state = {name: value.numpy().tobytes() for name, value in vec_env.state_dict().items()}
        rows = agent.replay_buffer.sample(50).rewards.numpy().tobytes()
        return exact(dict(leaves(agent.get_parameters()))), state, rows, torch.rand(3).tolist()

    for path in sorted(folder.iterdir()):
        assert check_mutations(path, read, n=min(N_MUTATIONS, 15)).refused > 5
