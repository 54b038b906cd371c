"""A run whose observations have a history: every part of it sees the same."""

from pathlib import Path

import pytest
import torch

from offline_envs import load_transitions
from offline_envs.dynamics import EnsembleDynamics, read_model
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, check_possible, train
from offline_envs.runs.algorithms import model_based
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv
from tests.cli.runner import fail, succeed
from tests.runs.test_task import spied
from tests.runs.test_training import interrupted
from tests.runs.tiny import DEMO, ENSEMBLE, FIT, tiny_settings

D, K = 9, 1
"""Dimensions of the demo's observations and actions; three of them make 29."""


@pytest.fixture(scope="module")
def settings() -> TrainSettings:
    return tiny_settings(ensemble=ENSEMBLE, fit=FIT, history=3)


def test_a_run_with_a_history(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = spied(monkeypatch, model_based, "_agent")
    result = train(settings, tmp_path / "run", show_progress=False)
    assert result.gradient_steps == 6
    assert agents[0].observation_space.shape == (29,)
    data, buffer = load_transitions(DEMO, history=3), agents[0].replay_buffer
    assert torch.equal(buffer._storage()[: buffer.real_size, :29], data.obs)
    assert result.dataset_mean == pytest.approx(float(load_transitions(DEMO).episode_returns.mean()))
    model = read_model(tmp_path / "run" / "model")
    assert isinstance(model, EnsembleDynamics)
    assert (model.obs_dim, model.action_dim) == (D, K + 2 * (D + K))
    assert RunFolder(tmp_path / "run").settings().history == 3


def test_a_policy_is_scored_with_the_history_of_its_run(settings: TrainSettings, tmp_path: Path) -> None:
    """The same return as at the end of the run; without the run's folder, --history says it."""
    result = train(settings, tmp_path / "run", show_progress=False)
    policy = tmp_path / "run" / "policies" / "last_policy.zip"
    call = ("--env-id", "InvertedDoublePendulum-v5", "--episodes", 2, "--seed", 2000)
    assert f"{result.real_return:.1f} ± {result.real_std:.1f}" in succeed("evaluate", policy, *call)
    elsewhere = tmp_path / "policy.zip"
    elsewhere.write_bytes(policy.read_bytes())
    assert "shape (29,), but the environment (9,)" in fail("evaluate", elsewhere, *call)
    assert f"{result.real_return:.1f} ±" in succeed("evaluate", elsewhere, *call, "--history", 3)
    given = ("--dataset", DEMO, "--episodes", 1)
    assert "dataset: mean, best" in succeed("evaluate", policy, *given)


def test_an_interrupted_run_resumes(settings: TrainSettings, tmp_path: Path) -> None:
    whole = train(settings, tmp_path / "whole", show_progress=False)
    with interrupted(SB3VecEnv, "step_wait", at_call=5):
        train(settings, tmp_path / "run", show_progress=False)
    again = train(settings, tmp_path / "run", resume=True, show_progress=False)
    assert (again.real_return, again.predicted_return) == (whole.real_return, whole.predicted_return)


def test_cloning_needs_no_model(tmp_path: Path) -> None:
    options = {"dataset": DEMO, "algorithm": "bc", "gradient_steps": 4, "eval_every": 4, "history": 2}
    settings = TrainSettings.for_algorithm({**options, "eval_episodes": 1, "final_episodes": 1})
    assert train(settings, tmp_path / "run", show_progress=False).gradient_steps == 4


def test_a_history_of_one_is_left_out_of_the_files() -> None:
    """Runs of earlier versions resume."""
    assert "history" not in tiny_settings().to_json()
    assert tiny_settings(history=2).to_json()["history"] == 2


def test_a_model_of_another_history_is_refused(tiny_model: Path) -> None:
    with pytest.raises(SettingsError, match="needs the history= of its fit"):
        check_possible(tiny_settings(model=str(tiny_model), history=2))


def test_what_cannot_have_a_history_is_refused() -> None:
    with pytest.raises(SettingsError, match="history must be an integer of at least 1"):
        tiny_settings(history=0)
    with pytest.raises(SettingsError, match="Leave history out"):
        tiny_settings(algorithm="rambo", history=2)


def test_a_buffer_reads_the_history_itself() -> None:
    data = load_transitions(DEMO, history=2)
    env = data.make_env()
    spaces = (env.observation_space, env.action_space)
    buffer = MixedReplayBuffer(10, *spaces, device="cpu", dataset=DEMO, history=2)
    assert torch.equal(buffer._storage()[: buffer.real_size, :19], data.obs)
