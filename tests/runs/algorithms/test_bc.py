from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC

from offline_envs.data import load_transitions
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.agent import new_agent
from offline_envs.runs.run import EVALUATION_SEED, FINAL_SEED
from offline_envs.sb3 import BehaviorCloner, SB3VecEnv, evaluate_in
from tests.runs.test_training import forbid, interrupted
from tests.runs.tiny import DEMO, ENSEMBLE, FIT, tiny_settings


def clone_settings(**changes: Any) -> TrainSettings:
    return tiny_settings(algorithm="bc", gradient_steps=5, **changes)


def test_bc_leaves_a_scored_policy_and_no_model(tmp_path: Path) -> None:
    result = train(clone_settings(), tmp_path / "run", show_progress=False)
    run = RunFolder(tmp_path / "run")
    assert sorted(path.name for path in run.path.iterdir()) == [
        *(
            "checksums.json",
            "metrics.csv",
            "plots",
            "policies",
            "result.json",
            "settings.json",
            "versions.json",
        )
    ]
    rows = run.read_metrics()
    assert [row.gradient_steps for row in rows] == [2, 4, 5]
    assert [row.predicted_return for row in rows] == [None] * 3
    policy = SAC.load(run.policies / "last_policy.zip", device="cpu")
    make_env = load_transitions(DEMO).make_env
    final = evaluate_in(make_env, policy, n_episodes=2, seed=FINAL_SEED)
    assert (result.real_return, result.real_std) == pytest.approx((final.mean, final.std))
    assert result == run.result()
    assert (result.gradient_steps, result.predicted_return, result.rank_correlation) == (5, None, None)


def test_a_complete_clone_is_not_overwritten(tmp_path: Path) -> None:
    result = train(clone_settings(), tmp_path, show_progress=False)
    with pytest.raises(SettingsError, match="holds a run already"):
        train(clone_settings(), tmp_path, show_progress=False)
    assert train(clone_settings(), tmp_path, resume=True, show_progress=False) == result


def test_bc_can_maximise_the_likelihood(tmp_path: Path) -> None:
    train(clone_settings(clone_loss="likelihood"), tmp_path, show_progress=False)
    found = SAC.load(RunFolder(tmp_path).policies / "last_policy.zip", device="cpu")
    env = load_transitions(DEMO).make_env()
    clone: Any = new_agent(clone_settings(), env, load_transitions(DEMO))
    env.close()
    BehaviorCloner(clone, DEMO, loss="likelihood", seed=0).train(5)
    assert torch.equal(found.policy.state_dict()["actor.log_std.bias"], clone.actor.log_std.bias)


@pytest.mark.parametrize("agent", ["sac", "trpo"])
def test_a_run_can_start_from_a_clone(agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its score before the first gradient step is the clone's, worked out here from an agent of its own."""
    monkeypatch.setattr(BehaviorCloner, "steps_per_epoch", 3)
    options = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 2}
    changes: dict[str, Any] = {"ensemble": ENSEMBLE, "fit": FIT, "agent": agent, "agent_options": options}
    changes["transitions_per_gradient_step"] = 8.0
    settings = tiny_settings(algorithm="mbpo", clone_epochs=2, **changes)
    train(settings, tmp_path, show_progress=False)
    rows = RunFolder(tmp_path).read_metrics()
    assert [row.gradient_steps for row in rows] == [0, 2, 4, 6]

    env = load_transitions(DEMO).make_env()
    clone = new_agent(settings, env, load_transitions(DEMO))
    BehaviorCloner(clone, DEMO, seed=settings.seed).train(6)
    found = evaluate_in(env, clone, n_episodes=1, seed=EVALUATION_SEED)
    env.close()
    assert rows[0].real_return == pytest.approx(found.mean)


def test_an_interrupted_run_does_not_clone_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BehaviorCloner, "steps_per_epoch", 1)
    settings = tiny_settings(clone_epochs=1, ensemble=ENSEMBLE, fit=FIT)
    with interrupted(SB3VecEnv, "step_wait", at_call=3):
        train(settings, tmp_path, show_progress=False)
    forbid(monkeypatch, BehaviorCloner, "train")
    assert train(settings, tmp_path, resume=True, show_progress=False).gradient_steps == 6
