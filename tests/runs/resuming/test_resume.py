"""An interrupted run ends as an uninterrupted one would have, bit for bit."""

import contextlib
import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest
import torch
from stable_baselines3.common.save_util import load_from_zip_file

from offline_envs.dynamics import load_ensemble, save_model
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.files import locked
from offline_envs.runs import RunFolder, TrainResult, TrainSettings, train
from offline_envs.sb3 import SB3VecEnv, mean_return_of
from tests.runs.tiny import DEMO, tiny_settings

MOREL = {
    "algorithm": "morel",
    "agent": "trpo",
    "gradient_steps": 3,
    "n_envs": 4,
    "horizon": 7,  # not a multiple of a cycle's 3 steps, so episodes continue from one cycle to the next
    "transitions_per_gradient_step": 12.0,
    "eval_every": 1,
    "eval_episodes": 1,
    "final_episodes": 2,
    "clone_epochs": 1,
    "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 4, "actor_ema_decay": 0.5},
}
RAMBO = {
    "algorithm": "rambo",
    "clone_epochs": 1,
    "real_ratio": 0.5,
    "adversary": {"steps_per_update": 1.0},
    "adversary_every": 1,
}
MOBILE = {
    "algorithm": "mobile",
    "agent": "mobile",
    "agent_options": {
        "policy_kwargs": {"net_arch": [8]},
        "batch_size": 16,
        "n_successors": 2,
        "actor_schedule": "cosine",
    },
}
COMBO = {
    "algorithm": "combo",
    "agent": "combo",
    "real_ratio": 0.5,
    "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16, "n_candidates": 2},
}
AVERAGED = {
    "policy_kwargs": {"net_arch": [8]},
    "batch_size": 16,
    "actor_ema_decay": 0.5,
    "critic_layer_norm": True,
}
KINDS: dict[str, dict[str, Any]] = {
    "sac": {},
    "uniform": {"rollout_actions": "uniform"},
    "fastsac": {"agent": "fastsac"},
    "averaged": {"agent": "fastsac", "agent_options": AVERAGED},
    "tqc": {"agent": "tqc"},
    "rambo": RAMBO,
    "mobile": MOBILE,
    "combo": COMBO,
    "morel": MOREL,
}


def settings_of(kind: str, model: Path) -> TrainSettings:
    own = {**KINDS[kind], "model": str(model)}
    if kind == "morel":
        return TrainSettings.for_algorithm({"dataset": DEMO, **own})
    return tiny_settings(**own)


def run(settings: TrainSettings, folder: Path, *, resume: bool = False) -> TrainResult:
    return train(settings, folder, resume=resume, show_progress=False)


@contextmanager
def signalled(number: signal.Signals, *, at_step: int) -> Iterator[None]:
    """Send this process a signal during one of the steps of the imagined episodes, counted from 1."""
    original, steps = SB3VecEnv.step_wait, iter(range(1, 10_000))

    def step(self: SB3VecEnv) -> Any:
        if next(steps) == at_step:
            os.kill(os.getpid(), number)
        return original(self)

    with obeyed(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(SB3VecEnv, "step_wait", step)
        yield


@contextmanager
def obeyed() -> Iterator[None]:
    """Obey Ctrl-C also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def stopped_at_once(*, at_step: int) -> Iterator[None]:
    """Raise a KeyboardInterrupt in the middle of a step, counted from 1, as a second Ctrl-C does."""
    original, steps = SB3VecEnv.step_wait, iter(range(1, 10_000))

    def step(self: SB3VecEnv) -> Any:
        if next(steps) == at_step:
            raise KeyboardInterrupt
        return original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SB3VecEnv, "step_wait", step)
        yield


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from leaves(part, f"{name}.{key}")
    else:
        yield name, value


def parameters(policy: Path) -> dict[str, Any]:
    """Every weight, and the state of every optimiser."""
    return dict(leaves(load_from_zip_file(policy)[1]))


def assert_same(one: Path, other: Path) -> None:
    """Both runs have the same policies and figures; only the seconds differ."""
    for name in ("last_policy.zip", "best_policy.zip"):
        ours, theirs = parameters(one / "policies" / name), parameters(other / "policies" / name)
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            same = (
                torch.equal(value, theirs[key]) if isinstance(value, torch.Tensor) else value == theirs[key]
            )
            assert same, (name, key)
    rows = [[replace(row, seconds=0.0) for row in RunFolder(f).read_metrics()] for f in (one, other)]
    assert rows[0] == rows[1]
    assert RunFolder(one).result() == RunFolder(other).result()


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Settings and folder of an uninterrupted run of each kind."""
    settings = settings_of(request.param, tiny_model)
    folder = tmp_path_factory.mktemp(request.param)
    run(settings, folder)
    return settings, folder


@pytest.mark.parametrize(("number", "at_step"), [(signal.SIGINT, 1), (signal.SIGTERM, 3), (signal.SIGINT, 5)])
def test_a_run_that_was_asked_to_stop_ends_like_an_uninterrupted_one(
    number: signal.Signals, at_step: int, whole: tuple[TrainSettings, Path], tmp_path: Path
) -> None:
    settings, folder = whole
    with signalled(number, at_step=at_step), pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path)
    assert RunFolder(tmp_path).checkpoint.is_dir()
    run(settings, tmp_path, resume=True)
    assert_same(folder, tmp_path)


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 300.0])
@pytest.mark.parametrize("at_step", [1, 4])
def test_a_run_that_was_stopped_at_once_or_killed_ends_like_an_uninterrupted_one(
    at_step: int,
    checkpoint_seconds: float,
    whole: tuple[TrainSettings, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice at the same step of what is left. Neither saves anything more: its last checkpoint counts."""
    settings, folder = whole
    monkeypatch.setattr("offline_envs.runs.evaluations.callback.CHECKPOINT_SECONDS", checkpoint_seconds)
    for _ in range(2):
        with stopped_at_once(at_step=at_step), contextlib.suppress(KeyboardInterrupt):
            run(settings, tmp_path, resume=True)
        rows = RunFolder(tmp_path).read_metrics()
        best = max((row.real_return for row in rows), default=-math.inf)
        assert mean_return_of(tmp_path / "policies" / "best_policy.zip") >= best
    run(settings, tmp_path, resume=True)
    assert_same(folder, tmp_path)


def test_a_checkpoint_of_another_model_is_refused(
    settings: TrainSettings, tmp_path: Path, tiny_model: Path
) -> None:
    with signalled(signal.SIGINT, at_step=3), pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path)
    other = load_ensemble(tiny_model).copy()  # the loaded one is shared
    assert other.bounds is not None
    with torch.no_grad():
        other.bounds.low.sub_(1.0)
    save_model(RunFolder(tmp_path).model, other)
    with pytest.raises(CheckpointError, match=r"is not the model that .*checkpoint was trained in"):
        run(settings, tmp_path, resume=True)


def test_a_second_process_is_told_who_holds_the_folder(settings: TrainSettings, tmp_path: Path) -> None:
    kept = int(filelock.__version__.split(".")[0]) >= 4  # else who tries to lock empties the file
    holder = rf"process {os.getpid()} on " if kept else "another process"
    with (
        locked(tmp_path / ".lock", busy=print),
        pytest.raises(SettingsError, match=rf"in use by {holder}.*choose another folder"),
    ):
        run(settings, tmp_path)
    assert not RunFolder(tmp_path).settings_file.exists()
