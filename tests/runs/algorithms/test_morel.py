"""MOReL: whole episodes in the pessimistic model, learned by a natural policy gradient or by SAC."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from offline_envs.envs import LearnedVectorEnv
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.sb3 import BehaviorCloner, SB3VecEnv
from tests.runs.test_training import interrupted
from tests.runs.tiny import DEMO, ENSEMBLE, FIT


def morel_settings(**changes: Any) -> TrainSettings:
    """Three policy steps of eight transitions each, after one epoch of cloning."""
    options: dict[str, Any] = {
        "dataset": DEMO,
        "algorithm": "morel",
        "ensemble": ENSEMBLE,
        "fit": FIT,
        "gradient_steps": 3,
        "n_envs": 4,
        "transitions_per_gradient_step": 8.0,
        "clone_epochs": 1,
        "eval_every": 1,
        "eval_episodes": 1,
        "final_episodes": 2,
        "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 8},
    }
    return TrainSettings.for_algorithm({**options, **changes})


@pytest.fixture(autouse=True)
def short_cloning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BehaviorCloner, "steps_per_epoch", 2)


@pytest.mark.parametrize(("agent", "horizon"), [("trpo", 500), ("sac", 2)])
def test_it_trains_in_episodes_that_halt(
    agent: str, horizon: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make_vec = gym.make_vec
    monkeypatch.setattr(gym, "make_vec", lambda *a, **k: made.append(make_vec(*a, **k)) or made[-1])  # type: ignore[func-returns-value]
    env_settings = {"threshold": {"quantile": 0.9}, "kappa": 50}
    settings = morel_settings(agent=agent, horizon=horizon, env_settings=env_settings)
    result = train(settings, tmp_path, show_progress=False)
    env = made[0].unwrapped
    assert isinstance(env, LearnedVectorEnv)
    assert env.spec is not None
    assert env.spec.id == "PessimisticModel-v0"
    assert env.max_episode_steps == horizon
    assert result.gradient_steps == 3
    assert [row.gradient_steps for row in RunFolder(tmp_path).read_metrics()] == [0, 1, 2, 3]


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    with interrupted(SB3VecEnv, "step_wait", at_call=4):  # in the second policy step
        train(morel_settings(), tmp_path, show_progress=False)
    result = train(morel_settings(), tmp_path, resume=True, show_progress=False)
    assert result.gradient_steps == 3
    assert [row.gradient_steps for row in RunFolder(tmp_path).read_metrics()] == [0, 1, 2, 3]


def test_a_setting_that_its_environment_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="got an unexpected keyword argument 'kapa'"):
        train(morel_settings(env_settings={"kapa": 50}), tmp_path, show_progress=False)
