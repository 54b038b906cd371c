import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import matplotlib.image
import numpy as np
import pytest
from stable_baselines3 import SAC
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from offline_envs.data import load_transitions
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.algorithms import learning
from offline_envs.runs.evaluations import callback
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import SB3VecEnv, evaluate_in
from tests.runs.tiny import ENSEMBLE, FIT, tiny_settings


def quietly(settings: TrainSettings, folder: Path, **options: Any) -> Any:
    return train(settings, folder, show_progress=False, **options)


@contextmanager
def interrupted(owner: Any, name: str, *, at_call: int = 1) -> Iterator[None]:
    """Press Ctrl-C inside a function, at a call that is counted from 1."""
    original, calls = getattr(owner, name), iter(range(1, 10_000))

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at_call:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, wrapped)
        with pytest.raises(KeyboardInterrupt):
            yield


def forbid(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    monkeypatch.setattr(owner, name, lambda *args, **kwargs: pytest.fail(f"{name} was called"))


def test_a_run_leaves_everything_that_is_needed_to_understand_it(
    settings: TrainSettings, tmp_path: Path
) -> None:
    result = quietly(settings, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert sorted(path.name for path in run.path.iterdir()) == [
        "checksums.json",
        "metrics.csv",
        "model",
        "plots",
        "policies",
        "result.json",
        "settings.json",
        "tensorboard",
        "versions.json",
    ]
    assert run.settings().to_json() == settings.to_json()
    assert run.result() == result
    assert "torch" in json.loads((run.path / "versions.json").read_text())
    assert [row.gradient_steps for row in run.read_metrics()] == [2, 4, 6]
    assert [row.timesteps for row in run.read_metrics()] == [8, 16, 24]
    assert sorted(path.name for path in run.policies.iterdir()) == ["best_policy.zip", "last_policy.zip"]
    for name in ("real_return", "predicted_return", "model_error"):
        picture = matplotlib.image.imread(run.plots / f"{name}.png")
        assert np.ptp(picture[..., :3]) > 0.5


def test_the_result_is_that_of_the_last_policy(settings: TrainSettings, tmp_path: Path) -> None:
    result = quietly(settings, tmp_path)
    transitions = load_transitions(settings.dataset)
    policy = SAC.load(tmp_path / "policies/last_policy.zip", device="cpu")
    env = transitions.make_env()
    real = evaluate_in(env, policy, n_episodes=2, seed=FINAL_SEED)
    env.close()
    assert (result.real_return, result.real_std) == pytest.approx((real.mean, real.std))
    assert result.normalized_score == pytest.approx(real.normalized_score)
    assert (result.gradient_steps, result.n_episodes, result.seed) == (6, 2, 0)
    assert result.dataset_mean == pytest.approx(float(transitions.episode_returns.mean()))
    assert result.dataset_best == pytest.approx(float(transitions.episode_returns.max()))
    assert result.predicted_return == RunFolder(tmp_path).read_metrics()[-1].predicted_return


def test_tensorboard_has_a_point_for_each_evaluation(settings: TrainSettings, tmp_path: Path) -> None:
    quietly(settings, tmp_path)
    events = EventAccumulator(str(RunFolder(tmp_path).tensorboard)).Reload()
    rows = RunFolder(tmp_path).read_metrics()
    for tag, column in (("real/return", "real_return"), ("model/return", "predicted_return")):
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert found == [(row.timesteps, pytest.approx(getattr(row, column), rel=1e-6)) for row in rows]
    assert {"real/normalized_score", "train/critic_loss"} <= set(events.Tags()["scalars"])


def test_the_same_settings_give_the_same_run(settings: TrainSettings, tmp_path: Path) -> None:
    assert quietly(settings, tmp_path / "a") == quietly(settings, tmp_path / "b")


@pytest.mark.parametrize("agent", ["fastsac", "td3", "ddpg", "tqc", "crossq"])
def test_other_agents_reach_their_gradient_steps(agent: str, settings: TrainSettings, tmp_path: Path) -> None:
    options = {**settings.to_json(), "agent": agent, "gradient_steps": 3, "eval_every": 100}
    with pytest.warns(UserWarning, match="the run takes 4"):  # two whole cycles
        assert quietly(TrainSettings.from_json(options), tmp_path).gradient_steps == 4


def test_mbpo_has_no_penalty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make_vec = gym.make_vec

    def noted(model_id: str, **options: Any) -> Any:
        made.append(model_id)
        return make_vec(model_id, **options)

    monkeypatch.setattr(gym, "make_vec", noted)
    settings = tiny_settings(algorithm="mbpo", ensemble=ENSEMBLE, fit=FIT, gradient_steps=2)
    assert quietly(settings, tmp_path).gradient_steps == 2
    assert made == ["LearnedModel-v0"]


@pytest.mark.parametrize(("at_call", "steps_of_checkpoint"), [(1, None), (4, 2), (6, 4)])
def test_a_run_that_is_stopped_at_once_resumes_from_its_last_checkpoint(
    at_call: int,
    steps_of_checkpoint: int | None,
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped at the first model step, and in the middle of the second and third cycle."""
    monkeypatch.setattr(callback, "CHECKPOINT_SECONDS", 0.0)
    with interrupted(SB3VecEnv, "step_wait", at_call=at_call):
        quietly(settings, tmp_path)
    run = RunFolder(tmp_path)
    before = run.read_metrics()
    assert run.checkpoint.is_dir()
    assert [row.gradient_steps for row in before][-1:] == [steps_of_checkpoint] * bool(steps_of_checkpoint)
    assert not run.result_file.exists()
    result = quietly(settings, tmp_path, resume=True)
    rows = run.read_metrics()
    assert result.gradient_steps == 6
    assert [row.gradient_steps for row in rows] == [2, 4, 6]
    assert rows[: len(before)] == before
    assert all(early.seconds < late.seconds for early, late in pairwise(rows))
    assert not run.checkpoint.exists()


def test_a_run_interrupted_while_it_is_scored_takes_no_further_step(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interrupted(learning, "evaluate_with_error"):
        quietly(settings, tmp_path)
    forbid(monkeypatch, SB3VecEnv, "step_wait")
    assert quietly(settings, tmp_path, resume=True).gradient_steps == 6


def test_a_run_interrupted_during_the_fit_can_be_resumed_or_restarted(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interrupted(gym, "make_vec"):
        quietly(settings, tmp_path)
    run = RunFolder(tmp_path)
    assert run.settings().to_json() == settings.to_json()
    for resume in (True, False):
        run.check(settings, resume=resume)


def test_a_complete_run_is_only_read(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = quietly(settings, tmp_path)
    forbid(monkeypatch, gym, "make_vec")
    assert quietly(settings, tmp_path, resume=True) == result
    with pytest.raises(SettingsError, match="holds a run already"):
        quietly(settings, tmp_path)


def test_the_model_in_the_folder_is_the_one_that_is_resumed_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache may have been emptied in the meantime."""
    settings = tiny_settings(ensemble=ENSEMBLE, fit=FIT)
    with interrupted(SB3VecEnv, "step_wait", at_call=3):
        quietly(settings, tmp_path / "run")
    monkeypatch.setenv("OFFLINE_ENVS_CACHE", str(tmp_path / "empty"))
    assert quietly(settings, tmp_path / "run", resume=True).gradient_steps == 6
    assert not (tmp_path / "empty").exists()


def test_what_cannot_work_is_refused_before_anything_is_written(toy_dataset: str, tmp_path: Path) -> None:
    refused = [
        (tiny_settings(dataset=toy_dataset), DatasetError, "does not name its environment"),
        (tiny_settings(agent_options={"gamm": 0.9}), SettingsError, "Unknown option of sac 'gamm'"),
        (tiny_settings(agent_options={"train_freq": 2}), SettingsError, "a run sets it"),
        (tiny_settings(device="abacus"), SettingsError, "device='abacus' cannot be used"),
    ]
    for settings, error, message in refused:
        with pytest.raises(error, match=message):
            quietly(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_wrong_value_for_the_agent_names_the_option(settings: TrainSettings, tmp_path: Path) -> None:
    options = {**settings.to_json(), "agent_options": {"ent_coef": "much"}}
    with pytest.raises(SettingsError, match="agent_options do not fit sac"):
        quietly(TrainSettings.from_json(options), tmp_path)


@pytest.mark.parametrize("n_envs", [1, 7, 500, 10_000])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 49.6, 250.0])
@pytest.mark.parametrize("done", [0, 3, 999])
def test_a_run_ends_less_than_a_cycle_after_its_gradient_steps(n_envs: int, ratio: float, done: int) -> None:
    settings = tiny_settings(
        n_envs=n_envs, transitions_per_gradient_step=ratio, gradient_steps=1000, horizon=5
    )
    agent: Any = SimpleNamespace(_n_updates=done)
    cycle = settings.cycle()
    cycles = learning._timesteps_left(settings, agent) / cycle.timesteps
    assert cycles == int(cycles)
    end = done + cycles * cycle.gradient_steps
    assert 1000 <= end < 1000 + cycle.gradient_steps
    assert math.isclose(cycle.timesteps / cycle.gradient_steps, ratio, rel_tol=0.01)
