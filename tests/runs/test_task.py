"""A run on data that were collected under another reward: every part of it sees the task's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from stable_baselines3.common.save_util import load_from_zip_file

from offline_envs.data import load_transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder, fitted_ensemble
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, check_possible, train
from offline_envs.runs.algorithms import model_based
from offline_envs.sb3 import SB3VecEnv
from offline_envs.tasks import Relabelling, find_task, relabel
from tests.cli.runner import succeed
from tests.runs.test_seeds import loads
from tests.runs.test_training import interrupted
from tests.runs.tiny import ENSEMBLE, FIT, tiny_settings
from tests.tasks.simulated import saved, simulated

JUMP = "halfcheetah-jump"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrainSettings:
    """Six gradient steps on an archive of a cheetah's steps, scored in short episodes of the task."""
    path = saved(simulated("HalfCheetah-v5").transitions, tmp_path_factory.mktemp("cheetah") / "data.npz")
    own = {"dataset": str(path), "env_id": "HalfCheetah-v5", "task": JUMP, "termination": "never"}
    return tiny_settings(**own, ensemble=ENSEMBLE, fit=FIT, eval_every=6, clone_epochs=1)


def spied(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """Results of a function of a module, as it is called."""
    original, results = getattr(module, name), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        results.append(original(*args, **kwargs))
        return results[-1]

    monkeypatch.setattr(module, name, wrapped)
    return results


def test_a_run_with_a_task(settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agents, envs = spied(monkeypatch, model_based, "_agent"), spied(monkeypatch, gym, "make_vec")
    result = train(settings, tmp_path / "run", show_progress=False)
    data = relabel(settings.dataset, JUMP, env_id="HalfCheetah-v5")
    buffer = agents[0].replay_buffer
    assert torch.equal(buffer._storage()[: buffer.real_size, -1], data.rewards)
    assert torch.equal(envs[0].unwrapped.transitions.rewards, data.rewards)
    assert result.dataset_mean == pytest.approx(float(data.episode_returns.mean()))
    assert result.gradient_steps == 6
    assert result.normalized_score is None
    assert RunFolder(tmp_path / "run").settings().to_json() == settings.to_json()


@pytest.mark.parametrize("resumed", [False, True])
def test_the_dataset_is_loaded_and_relabelled_once(
    resumed: bool, settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model, agent, cloner and buffer get the transitions themselves; the agent's file keeps their id."""
    if resumed:
        with interrupted(SB3VecEnv, "step_wait", at_call=3):
            train(settings, tmp_path, show_progress=False)
    read, relabelled = loads(monkeypatch), []
    relabel_as = Relabelling.of.__func__  # type: ignore[attr-defined]

    def noted(cls: Any, *args: Any, **kwargs: Any) -> Any:
        relabelled.append(args)
        return relabel_as(cls, *args, **kwargs)

    monkeypatch.setattr(Relabelling, "of", classmethod(noted))
    train(settings, tmp_path, resume=resumed, show_progress=False)
    assert (len(read), len(relabelled)) == (1, 1)
    saved, _, _ = load_from_zip_file(RunFolder(tmp_path).policies / "last_policy.zip", device="cpu")
    assert saved is not None
    assert saved["replay_buffer_kwargs"]["dataset"] == settings.dataset
    assert saved["replay_buffer_kwargs"]["task"] == JUMP


def test_a_model_of_the_logged_reward_is_warned_of(settings: TrainSettings, tmp_path: Path) -> None:
    data = load_transitions(settings.dataset, env_id="HalfCheetah-v5")
    shape, fit = EnsembleSettings(hidden=(16, 16)), FitSettings(max_epochs=1)
    fitted_ensemble(data, shape, fit_settings=fit, progress=False)
    model = str(ensemble_folder(data, shape, fit_settings=fit))
    with pytest.warns(UserWarning, match="it predicts the steps and the reward that it was fitted to"):
        train(replace(settings, model=model, ensemble={}, fit={}), tmp_path, show_progress=False)


def test_the_real_environment_is_the_tasks(settings: TrainSettings) -> None:
    env = check_possible(replace(settings, task="halfcheetah-velocity:target_speed=1")).make_env()
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


def test_a_policy_is_scored_in_the_task_of_its_run(settings: TrainSettings, tmp_path: Path) -> None:
    """The same return as at the end of the run; the data's own environment has to be asked for."""
    result = train(settings, tmp_path / "run", show_progress=False)
    policy = RunFolder(tmp_path / "run").policies / "last_policy.zip"
    call = ("evaluate", policy, "--episodes", 2, "--seed", 2000)
    figures = f"{result.real_return:.1f} ± {result.real_std:.1f}"
    for where in (("--dataset", settings.dataset, "--env-id", "HalfCheetah-v5"), ()):
        output = " ".join(succeed(*call, *where).split())
        assert "2 episodes of HalfCheetahJump-v0" in output
        assert figures in output
    own = succeed(*call, "--env-id", "HalfCheetah-v5")
    other = succeed(*call, "--task", "halfcheetah-velocity")
    assert "HalfCheetah-v5" in own
    assert "HalfCheetahVelocity-v0" in other
