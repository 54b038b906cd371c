from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import SAC

from offline_envs.data import load_transitions
from offline_envs.runs import MetricsRow, RunFolder, TrainResult, TrainSettings, train
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import evaluate_in
from tests.runs.tiny import tiny_settings

FAST: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16, "learning_rate": 0.05}


def of_run(settings: TrainSettings, folder: Path) -> tuple[TrainResult, list[MetricsRow]]:
    return train(settings, folder, show_progress=False), RunFolder(folder).read_metrics()


def test_a_run_scores_the_average_and_the_current_weights(tiny_model: Path, tmp_path: Path) -> None:
    """Training does not depend on the average, so the current weights' figures are those of a run without."""
    options = [{**FAST, "actor_ema_decay": 0.9}, FAST]
    runs = (tiny_settings(model=str(tiny_model), agent="fastsac", agent_options=each) for each in options)
    folders = (tmp_path / "averaged", tmp_path / "plain")
    (result, rows), (_, plain) = (of_run(*each) for each in zip(runs, folders, strict=True))
    for ours, theirs in zip(rows, plain, strict=True):
        assert (ours.current_return, ours.current_length) == (theirs.real_return, theirs.real_length)
        assert ours.current_predicted_return == theirs.predicted_return
        assert theirs.current_return is None
    assert rows[-1].predicted_return != plain[-1].predicted_return
    env = load_transitions(tiny_settings().dataset).make_env()
    policy = SAC.load(folders[0] / "policies/last_policy.zip", device="cpu")
    score = evaluate_in(env, policy, n_episodes=2, seed=FINAL_SEED)
    env.close()
    assert result.real_return == pytest.approx(score.mean)
