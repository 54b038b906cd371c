from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_envs.data import load_transitions
from offline_envs.policies import read_agent
from offline_envs.runs import MetricsRow, RunFolder, TrainResult, TrainSettings, train
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import evaluate_in
from tests.runs.tiny import tiny_settings

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16}
AGENTS: dict[str, dict[str, Any]] = {
    "fastsac": {"agent_options": {**SMALL, "learning_rate": 0.05}},
    "trpo": {"agent_options": {**SMALL, "target_kl": 0.5}, "transitions_per_gradient_step": 16.0},
}


def of_run(settings: TrainSettings, folder: Path) -> tuple[TrainResult, list[MetricsRow]]:
    return train(settings, folder, show_progress=False), RunFolder(folder).read_metrics()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_run_scores_the_average_and_the_current_weights(
    agent: str, tiny_model: Path, tmp_path: Path
) -> None:
    """Training does not depend on the average, so the current weights' figures are those of a run without."""
    plain = tiny_settings(model=str(tiny_model), agent=agent, **AGENTS[agent])
    averaged = replace(plain, agent_options={**plain.agent_options, "actor_ema_decay": 0.9})
    folders = (tmp_path / "averaged", tmp_path / "plain")
    (result, rows), (_, others) = (of_run(*each) for each in zip((averaged, plain), folders, strict=True))
    for ours, theirs in zip(rows, others, strict=True):
        assert (ours.current_return, ours.current_length) == (theirs.real_return, theirs.real_length)
        assert ours.current_predicted_return == theirs.predicted_return
        assert theirs.current_return is None
    assert rows[-1].predicted_return != others[-1].predicted_return
    env = load_transitions(tiny_settings().dataset).make_env()
    policy = read_agent(folders[0] / "policies/last_policy.zip", agent)
    score = evaluate_in(env, policy, n_episodes=2, seed=FINAL_SEED)
    env.close()
    assert result.real_return == pytest.approx(score.mean)
