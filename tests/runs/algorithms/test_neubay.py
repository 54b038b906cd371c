"""NEUBAY's Markov form: whole episodes that are cut where members disagree, and no pessimism."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from offline_envs.errors import SettingsError
from offline_envs.methods import Halt
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.training import check_possible
from offline_envs.sb3 import SB3VecEnv
from tests.runs.test_training import interrupted
from tests.runs.tiny import DEMO, FIT

SMALL = {"policy_kwargs": {"net_arch": [8], "n_critics": 3}, "batch_size": 8, "buffer_size": 1_000}


def neubay_settings(**changes: Any) -> TrainSettings:
    """Three cycles of 32 transitions and two gradient steps."""
    options: dict[str, Any] = {
        "dataset": DEMO,
        "algorithm": "neubay",
        "ensemble": {"hidden": [16, 16], "n_members": 4, "n_elites": 3},
        "fit": FIT,
        "gradient_steps": 6,
        "horizon": 8,
        "n_envs": 4,
        "transitions_per_gradient_step": 16.0,
        "eval_every": 2,
        "eval_episodes": 1,
        "final_episodes": 2,
        "agent_options": SMALL,
    }
    return TrainSettings.for_algorithm({**options, **changes})


def test_its_environment_truncates_at_the_maximum_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make_vec = gym.make_vec
    monkeypatch.setattr(gym, "make_vec", lambda *a, **k: made.append(make_vec(*a, **k)) or made[-1])  # type: ignore[func-returns-value]
    result = train(neubay_settings(), tmp_path, show_progress=False)
    env = made[0].unwrapped
    assert env.spec.id == "PessimisticModel-v0"
    assert env.method == Halt(
        threshold={"quantile": 1.0}, halt_members="elites", on_unknown="truncate", disagreement="std"
    )
    assert env.mdp.sampler.per_episode
    assert len(env.assembly.starts.obs) == len(env.transitions)  # episodes start anywhere in the data
    assert result.gradient_steps == 6


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    with interrupted(SB3VecEnv, "step_wait", at_call=12):  # in the second cycle
        train(neubay_settings(), tmp_path, show_progress=False)
    result = train(neubay_settings(), tmp_path, resume=True, show_progress=False)
    assert result.gradient_steps == 6
    assert [row.gradient_steps for row in RunFolder(tmp_path).read_metrics()] == [2, 4, 6]


def test_a_given_model_has_its_own_members() -> None:
    """The algorithm's default ensemble is one to be fitted."""
    settings = TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "neubay", "model": "a-folder"})
    assert settings.ensemble == {}
    assert TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "neubay"}).ensemble["n_elites"] == 20


def test_critics_and_members_are_layer_normalized() -> None:
    settings = TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "neubay"})
    assert settings.ensemble["layer_norm"]
    assert settings.ensemble["activation"] == "leaky_relu"
    assert settings.agent_options["critic_layer_norm"]
    assert not neubay_settings(agent_options={"critic_layer_norm": False}).agent_options["critic_layer_norm"]


def test_an_agent_of_another_package_takes_no_layer_norm() -> None:
    assert "critic_layer_norm" not in neubay_settings(agent="sac").agent_options


def test_a_threshold_replaces_the_default_one() -> None:
    settings = neubay_settings(env_settings={"threshold": {"quantile": 0.99}})
    assert settings.env_settings["threshold"] == {"quantile": 0.99}
    assert settings.env_settings["on_unknown"] == "truncate"


def test_an_agent_without_critics_is_refused() -> None:
    with pytest.raises(SettingsError, match="neubay needs an agent with a replay buffer"):
        neubay_settings(agent="trpo", agent_options={})


def test_a_run_much_longer_than_asked_for_warns_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """32 transitions at 16 a gradient step: cycles of two, so one step becomes two."""
    with pytest.warns(
        UserWarning, match=r"gradient_steps=1, .* the run takes 2\. Lower n_envs=4 or horizon=8"
    ):
        check_possible(neubay_settings(gradient_steps=1))
    with pytest.warns(UserWarning, match="the run takes 2"):
        result = train(neubay_settings(gradient_steps=1), tmp_path, show_progress=True)
    assert result.gradient_steps == 2
    assert "2 of 2 gradient steps" in capsys.readouterr().err


def test_a_run_a_little_longer_than_asked_for_does_not_warn() -> None:
    """21 steps in cycles of two are 22, 5 % more; 19 are 20."""
    for steps in (19, 20, 21):
        check_possible(neubay_settings(gradient_steps=steps))
