"""Runs whose transitions go from model to replay buffer on the device, as they do on a GPU."""

from pathlib import Path

import pytest

from offline_envs.runs import TrainSettings, agent, train
from offline_envs.runs.agent import collects_on_device
from offline_envs.runs.algorithms import model_based
from offline_envs.runs.evaluations.callback import RunCallback
from offline_envs.sb3 import SB3VecEnv
from tests.runs.test_training import interrupted
from tests.runs.tiny import tiny_settings


@pytest.fixture
def settings(tiny_model: Path) -> TrainSettings:
    return tiny_settings(model=str(tiny_model))


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on the processor collects as if that were a GPU, and never by SB3's own path."""
    for module in (agent, model_based):
        monkeypatch.setattr(module, "collects_on_device", lambda settings: True)
    monkeypatch.setattr(SB3VecEnv, "step_async", lambda *args: pytest.fail("left the device"))


def test_only_a_gpu_and_a_replay_buffer_collect_there() -> None:
    assert not collects_on_device(tiny_settings())
    assert collects_on_device(tiny_settings(device="cuda"))
    assert collects_on_device(tiny_settings(device="cuda:1", agent="tqc", rollout_actions="uniform"))
    assert not collects_on_device(tiny_settings(device="cuda", agent_options={"use_sde": True}))
    assert not collects_on_device(tiny_settings(device="cuda", agent="trpo"))


@pytest.mark.parametrize("name", ["sac", "fastsac"])
def test_the_run_is_the_same(
    name: str, settings: TrainSettings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chosen = tiny_settings(model=settings.model, agent=name)
    plain = train(chosen, tmp_path / "plain", show_progress=False)
    request.getfixturevalue("on_device")
    result = train(chosen, tmp_path / "device", show_progress=False)
    assert result.gradient_steps == plain.gradient_steps == 6
    assert result.real_return == pytest.approx(plain.real_return, rel=1e-3)


def test_uniform_actions(on_device: None, settings: TrainSettings, tmp_path: Path) -> None:
    uniform = tiny_settings(model=settings.model, rollout_actions="uniform")
    assert train(uniform, tmp_path, show_progress=False).gradient_steps == 6


def test_an_interrupted_run_goes_on(on_device: None, settings: TrainSettings, tmp_path: Path) -> None:
    whole = train(settings, tmp_path / "whole", show_progress=False)
    with interrupted(RunCallback, "_evaluate_due", at_call=2):
        train(settings, tmp_path / "cut", show_progress=False)
    again = train(settings, tmp_path / "cut", resume=True, show_progress=False)
    assert again.gradient_steps == whole.gradient_steps
    assert again.real_return == pytest.approx(whole.real_return, rel=1e-3)
