"""MOREC: an agent in the filtered model, with the release's proportions."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.sb3 import SB3VecEnv
from tests.runs.test_training import interrupted
from tests.runs.tiny import DEMO, ENSEMBLE, FIT

QUICK: dict[str, Any] = {"hidden": [8], "n_snapshots": 2, "steps": 20}


def morec_settings(**changes: Any) -> TrainSettings:
    """Four gradient steps in cycles of eight transitions and two gradient steps."""
    options: dict[str, Any] = {
        "dataset": DEMO,
        "algorithm": "morec",
        "ensemble": ENSEMBLE,
        "fit": FIT,
        "gradient_steps": 4,
        "horizon": 2,
        "n_envs": 4,
        "transitions_per_gradient_step": 4.0,
        "env_settings": {"selection": "argmax", "min_dynamics_reward": 0.4, "discriminator": QUICK},
        "eval_every": 2,
        "eval_episodes": 1,
        "final_episodes": 2,
        "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 8},
    }
    return TrainSettings.for_algorithm({**options, **changes})


def test_the_proportions_are_those_of_the_release() -> None:
    """2000 rollouts of 100 steps for 1000 gradient steps, and a million transitions kept."""
    settings = TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "morec"})
    assert (settings.agent, settings.horizon, settings.penalty_coef) == ("sac", 100, 0.0)
    assert settings.cycle().timesteps / settings.cycle().gradient_steps == 200
    assert settings.agent_options["buffer_size"] == 1_000_000
    on_policy = TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "morec", "agent": "trpo"})
    assert "buffer_size" not in on_policy.agent_options


def test_it_trains_in_the_filtered_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make_vec = gym.make_vec

    def kept(*args: Any, **kwargs: Any) -> Any:
        made.append(make_vec(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(gym, "make_vec", kept)
    result = train(morec_settings(penalty_coef=0.5, seed=3), tmp_path, show_progress=False)
    method = made[0].unwrapped.method
    assert made[0].spec.id == "ConsistentModel-v0"
    assert (method.selection, method.min_dynamics_reward, method.penalty_coef) == ("argmax", 0.4, 0.5)
    assert made[0].unwrapped.max_episode_steps == 2
    assert method.discriminator["seed"] == 3
    assert result.gradient_steps == 4


def test_an_interrupted_run_resumes(tmp_path: Path) -> None:
    whole = train(morec_settings(), tmp_path / "whole", show_progress=False)
    with interrupted(SB3VecEnv, "step_wait", at_call=3):  # in the second cycle
        train(morec_settings(), tmp_path / "part", show_progress=False)
    resumed = train(morec_settings(), tmp_path / "part", resume=True, show_progress=False)
    assert resumed.real_return == whole.real_return
    rows = [RunFolder(tmp_path / name).read_metrics() for name in ("whole", "part")]
    assert [row.gradient_steps for row in rows[1]] == [row.gradient_steps for row in rows[0]] == [2, 4]
