import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import load_transitions
from offline_envs.errors import SettingsError
from offline_envs.policies import TorchScriptPolicy
from offline_envs.runs import ALGORITHMS, RunFolder, TrainSettings, check_possible, train
from offline_envs.runs.algorithms.model_free.baseline import ModelFree, action_scaler, check_bounded
from offline_envs.runs.algorithms.model_free.process import Worker
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import evaluate_in
from tests.runs.test_training import interrupted
from tests.runs.tiny import DEMO

STAND_IN = Path(__file__).with_name("d3rlpy_stand_in.py")


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has the stand-in as d3rlpy, and ignores PYTHONPATH as `python -I` does."""
    folder = tmp_path_factory.mktemp("environment")
    shutil.copy(STAND_IN, folder / "d3rlpy.py")
    path = folder / "python"
    found = f"import runpy, sys; sys.path.insert(0, {str(folder)!r})"
    run = f"{found}; runpy.run_path(sys.argv[1], {{}}, '__main__')"
    path.write_text(f'#!/bin/sh\n[ "$1" = -I ] || exit 9\nexec {sys.executable} -I -c "{run}" "$2"\n')
    path.chmod(0o755)
    return str(path)


def settings_of(python: str, **changes: Any) -> TrainSettings:
    config = changes.pop("config", {})
    values = {"gradient_steps": 7, "eval_every": 3, "eval_episodes": 1, "final_episodes": 2}
    options = {"algorithm_options": {"python": python, "config": config}}
    return TrainSettings.for_algorithm(
        {"dataset": DEMO, "algorithm": "td3bc", **values, **options, **changes}
    )


@pytest.fixture(scope="module")
def whole(python: str, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run from the beginning to the end."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(settings_of(python), folder, show_progress=False)
    return RunFolder(folder)


def test_a_run_leaves_what_every_run_leaves(whole: RunFolder) -> None:
    """The same files and figures as a run of another algorithm, so that it stands in the same tables."""
    assert sorted(path.name for path in whole.path.iterdir()) == [
        *("checksums.json", "d3rlpy.json", "d3rlpy.log", "metrics.csv", "plots", "policies"),
        *("result.json", "settings.json", "versions.json"),
    ]
    assert [row.gradient_steps for row in whole.read_metrics()] == [3, 6, 7]
    result = whole.result()
    assert (result.gradient_steps, result.n_episodes, result.predicted_return) == (7, 2, None)
    demo = load_transitions(DEMO)
    policy = TorchScriptPolicy(whole.policies / "last_policy.pt", demo.obs_dim, demo.action_space)
    final = evaluate_in(demo.make_env, policy, n_episodes=2, seed=FINAL_SEED)
    assert (result.real_return, result.real_std) == pytest.approx((final.mean, final.std))
    about = json.loads((whole.path / "d3rlpy.json").read_text())
    assert (about["d3rlpy"], about["learner"], about["n_transitions"]) == (
        *("0-stand-in", "TD3PlusBC"),
        len(demo),
    )
    assert "a line of d3rlpy's log" in (whole.path / "d3rlpy.log").read_text()


def test_an_interrupted_run_resumes_where_it_was_scored(
    python: str, whole: RunFolder, tmp_path: Path
) -> None:
    """The worker is ahead of the evaluations when it is ended: what it did beyond them is done again."""
    settings, parts = settings_of(python), RunFolder(tmp_path / "parts")
    with interrupted(RunProgress, "evaluated", at_call=1):
        train(settings, parts.path, show_progress=False)
    assert [row.gradient_steps for row in parts.read_metrics()] == [3]
    with pytest.raises(SettingsError, match="holds a run already"):
        train(settings, parts.path, show_progress=False)
    assert train(settings, parts.path, resume=True, show_progress=False) == whole.result()
    returns = [[row.real_return for row in run.read_metrics()] for run in (parts, whole)]
    assert returns[0] == returns[1]
    assert not parts.checkpoint.exists()


def test_a_config_that_d3rlpy_refuses_leaves_the_folder_free(python: str, tmp_path: Path) -> None:
    wrong = settings_of(python, config={"step_sise": 0.1})
    with pytest.raises(SettingsError, match=r"TD3PlusBC has no setting 'step_sise'\. Valid: .*step_size"):
        train(wrong, tmp_path, show_progress=False)
    assert not RunFolder(tmp_path).has_progress


def test_the_other_process_takes_as_many_threads_as_this_one(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds at once would otherwise each take every core, and hinder each other."""
    asked: list[int] = []

    def refuse(self: Worker, request: dict[str, Any]) -> None:
        asked.append(request["threads"])
        raise ArithmeticError

    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(Worker, "carry_out", refuse)
    with pytest.raises(ArithmeticError):
        train(settings_of(python), tmp_path, show_progress=False)
    assert asked == [3]


def test_settings_of_other_algorithms_are_refused() -> None:
    with pytest.raises(SettingsError, match="agent: cql does not use that"):
        TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "cql", "agent": "sac"})
    with pytest.raises(SettingsError, match="Unknown setting of ModelFreeOptions 'pyhton'"):
        TrainSettings.for_algorithm(
            {"dataset": DEMO, "algorithm": "cql", "algorithm_options": {"pyhton": "python"}}
        )


def test_the_config_of_a_run_overrides_the_algorithms() -> None:
    values = {"dataset": DEMO, "gradient_steps": 40}
    iql = ALGORITHMS["iql"]
    assert isinstance(iql, ModelFree)
    config = iql.run_config(TrainSettings.for_algorithm({**values, "algorithm": "iql"}))
    schedule = config["actor_optim_factory"]["params"]["lr_scheduler_factory"]
    assert schedule == {"type": "cosine_annealing", "params": {"T_max": 40}}
    changed = {"algorithm_options": {"config": {"actor_optim_factory": {"type": "adam", "params": {}}}}}
    config = iql.run_config(TrainSettings.for_algorithm({**values, "algorithm": "iql", **changed}))
    assert config["actor_optim_factory"] == {"type": "adam", "params": {}}
    assert config["reward_scaler"]["params"] == {"multiplier": 1000.0}


def test_a_run_that_ends_in_its_warm_up_is_refused() -> None:
    """PLAS and BEAR would end with an actor that never learned from a critic, and be scored all the same."""
    plas = {"dataset": DEMO, "algorithm": "plas"}
    assert TrainSettings.for_algorithm(plas).gradient_steps == 1_000_000
    for algorithm, steps in (("plas", 500_000), ("bear", 40_000)):
        short = TrainSettings.for_algorithm({**plas, "algorithm": algorithm, "gradient_steps": steps})
        shorter = f'"warmup_steps": {steps // 2}}}'
        with pytest.raises(SettingsError, match=rf"got {steps} and {steps}\. .*{shorter}"):
            check_possible(short)
        check_possible(replace(short, gradient_steps=steps + 1))
    options = {"algorithm_options": {"config": {"warmup_steps": 3}}}
    check_possible(TrainSettings.for_algorithm({**plas, "gradient_steps": 4, **options}))


def test_actions_are_scaled_to_where_the_policies_act() -> None:
    assert action_scaler(Box(-1.0, 1.0, (2,))) is None
    low, high = np.array([-2.0, 0.0], np.float32), np.array([2.0, 3.0], np.float32)
    scaler = {"type": "min_max", "params": {"minimum": [-2.0, 0.0], "maximum": [2.0, 3.0]}}
    assert action_scaler(Box(low, high)) == scaler
    with pytest.raises(SettingsError, match="bounded Box"):
        check_bounded(Box(-np.inf, np.inf, (2,)))


def test_a_callback_is_given_the_evaluations_and_may_stop_the_run(
    python: str, whole: RunFolder, tmp_path: Path
) -> None:
    settings, seen = settings_of(python), list[int]()

    def stop_first(row: Mapping[str, Any], folder: Path) -> None:
        seen.append(row["gradient_steps"])
        if len(seen) == 1:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        train(settings, tmp_path, show_progress=False, callbacks=[stop_first])
    found = train(settings, tmp_path, resume=True, show_progress=False, callbacks=[stop_first])
    assert found == whole.result()
    assert seen == [3, 6, 7]
