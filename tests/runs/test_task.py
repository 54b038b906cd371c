"""A run on data that were collected under another reward: every part of it sees the task's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, train, training
from offline_envs.tasks import find_task, relabel
from tests.runs.tiny import ENSEMBLE, FIT, tiny_settings
from tests.tasks.simulated import saved, simulated

JUMP = "halfcheetah-jump"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrainSettings:
    """Six gradient steps on an archive of a cheetah's steps, scored in short episodes of the task."""
    path = saved(simulated("HalfCheetah-v5").transitions, tmp_path_factory.mktemp("cheetah") / "data.npz")
    own = {"dataset": str(path), "env_id": "HalfCheetah-v5", "task": JUMP, "termination": "never"}
    return tiny_settings(**own, ensemble=ENSEMBLE, fit=FIT, eval_every=6, clone_epochs=1)


def spied(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """Results of a function of the training module, as it is called."""
    original, results = getattr(training, name), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        results.append(original(*args, **kwargs))
        return results[-1]

    monkeypatch.setattr(training, name, wrapped)
    return results


def test_a_run_with_a_task(settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agents, envs = spied(monkeypatch, "_agent"), spied(monkeypatch, "_model_envs")
    result = train(settings, tmp_path / "run", show_progress=False)
    data = relabel(settings.dataset, JUMP, env_id="HalfCheetah-v5")
    buffer = agents[0].replay_buffer
    assert torch.equal(buffer._storage()[: buffer.real_size, -1], data.rewards)
    assert torch.equal(envs[0].unwrapped.transitions.rewards, data.rewards)
    assert result.dataset_mean == pytest.approx(float(data.episode_returns.mean()))
    assert result.gradient_steps == 6
    assert result.normalized_score is None
    assert RunFolder(tmp_path / "run").settings() == settings


def test_the_real_environment_is_the_tasks(settings: TrainSettings) -> None:
    env = training.check_possible(replace(settings, task="halfcheetah-velocity:target_speed=1")).make_env()
    assert env.spec is not None
    assert env.spec.id == "HalfCheetahVelocity-v0"
    assert env.spec.kwargs["target_speed"] == 1.0
    env.close()


@pytest.mark.parametrize("task", ["jump", "ant-angle:degree=3", "ant-angle:degrees=north"])
def test_tasks_that_do_not_exist_are_refused(task: str) -> None:
    with pytest.raises(SettingsError, match=r"task|setting of ant-angle"):
        tiny_settings(task=task)


def test_a_task_object_is_no_setting() -> None:
    """Settings are written as JSON."""
    with pytest.raises(SettingsError, match="task must be of type"):
        tiny_settings(task=find_task(JUMP))
