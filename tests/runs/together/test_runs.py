"""Runs that learn together end as each does alone, also when they are stopped and resumed."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from offline_envs.envs import LearnedVectorEnv
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainResult, TrainSettings, agent, run_seeds, run_together, train
from offline_envs.runs.algorithms import algorithm, model_based
from offline_envs.sb3.rollouts.device_rollouts import DeviceRollouts
from tests.runs.resuming.test_resume import assert_same, stopped_at_once
from tests.runs.tiny import tiny_settings

AGENT: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16}
KINDS: dict[str, dict[str, Any]] = {
    "seed-0": {},
    "seed-1": {"seed": 1},
    "lambda": {"penalty_coef": 0.2, "real_ratio": 0.5},
    "rates": {"agent_options": {**AGENT, "learning_rate": 1e-2, "actor_ema_decay": 0.5}, "gradient_steps": 4},
    "rambo": {"algorithm": "rambo", "adversary": {"steps_per_update": 1.0}, "adversary_every": 1},
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def settings(tiny_model: Path) -> list[TrainSettings]:
    options = {"agent": "fastsac", "model": str(tiny_model)}
    return [tiny_settings(**{**options, **changes}) for changes in KINDS.values()]


@pytest.fixture(scope="module")
def alone(settings: list[TrainSettings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs one after another."""
    folder = tmp_path_factory.mktemp("alone")
    for name, run in zip(KINDS, settings, strict=True):
        train(run, folder / name, show_progress=False)
    return folder


def together(settings: list[TrainSettings], folder: Path, **options: Any) -> tuple[TrainResult, ...]:
    folders = [folder / name for name in list(KINDS)[: len(settings)]]
    return run_together(settings, folders, show_progress=False, **options)


def assert_as_alone(folder: Path, alone: Path, names: list[str] | None = None) -> None:
    for name in KINDS if names is None else names:
        assert_same(alone / name, folder / name)
        assert not RunFolder(folder / name).checkpoint.exists()


def test_each_run_ends_as_alone(settings: list[TrainSettings], alone: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    def noted(row: Mapping[str, Any], folder: Path) -> None:
        told.append((folder.name, row["gradient_steps"]))

    results = together(settings, tmp_path, callbacks=[noted])
    assert_as_alone(tmp_path, alone)
    assert list(results) == [RunFolder(tmp_path / name).result() for name in KINDS]
    expected = [(name, n) for name in KINDS for n in (2, 4, 6) if (name, n) != ("rates", 6)]
    assert sorted(told) == sorted(expected)
    told.clear()
    assert together(settings, tmp_path, resume=True, callbacks=[noted]) == results
    assert told == []  # what is complete is only read


@pytest.mark.parametrize("by_signal", [True, False])
def test_stopped_runs_resume_together_or_alone(
    by_signal: bool, settings: list[TrainSettings], alone: Path, tmp_path: Path
) -> None:
    """Stopped by a signal, or by a callback that fails, after an evaluation of one of them."""

    def stop(row: Mapping[str, Any], folder: Path) -> None:
        if folder.name != "seed-1" or row["gradient_steps"] != 4:
            return
        if not by_signal:
            raise RuntimeError("enough")
        os.kill(os.getpid(), signal.SIGTERM)

    expected = KeyboardInterrupt if by_signal else RuntimeError
    with pytest.raises(expected, match=None if by_signal else "enough") as raised:
        together(settings, tmp_path, callbacks=[stop])
    left = [name for name in KINDS if not RunFolder(tmp_path / name).result_file.exists()]
    assert set(left) >= {"seed-0", "seed-1", "lambda", "rambo"}
    for name in left:
        assert RunFolder(tmp_path / name).checkpoint.is_dir()
        assert len(RunFolder(tmp_path / name).read_metrics()) in (1, 2, 3)
    if not by_signal:
        assert f"This ended the run in {tmp_path / 'seed-1'}." in raised.value.__notes__
    train(settings[2], tmp_path / "lambda", resume=True, show_progress=False)
    together(settings, tmp_path, resume=True)
    assert_as_alone(tmp_path, alone)


def test_runs_resume_from_different_points(
    settings: list[TrainSettings], alone: Path, tmp_path: Path
) -> None:
    """One is complete, one was stopped in its second cycle alone, one is new."""
    train(settings[0], tmp_path / "seed-0", show_progress=False)
    with stopped_at_once(at_step=4), pytest.raises(KeyboardInterrupt):
        train(settings[1], tmp_path / "seed-1", show_progress=False)
    together(settings[:3], tmp_path, resume=True)
    assert_as_alone(tmp_path, alone, ["seed-0", "seed-1", "lambda"])


def test_stopped_at_once_they_resume_from_their_last_checkpoints(
    settings: list[TrainSettings], alone: Path, tmp_path: Path
) -> None:
    """As by a second Ctrl-C: in the middle of a step of the second run, and in the first cycle."""
    for at_step in (2, 7, 11):
        with stopped_at_once(at_step=at_step), pytest.raises(KeyboardInterrupt):
            together(settings[:3], tmp_path, resume=True)
    together(settings[:3], tmp_path, resume=True)
    assert_as_alone(tmp_path, alone, ["seed-0", "seed-1", "lambda"])


def test_a_second_signal_stops_at_once(settings: list[TrainSettings], tmp_path: Path) -> None:
    rows: list[int] = []

    def stop(row: Mapping[str, Any], folder: Path) -> None:
        rows.append(row["gradient_steps"])
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        together(settings[:3], tmp_path, callbacks=[stop])
    assert rows == [2]


def test_an_error_before_training_ends_the_others(
    settings: list[TrainSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("offline_envs.runs.algorithms.learning.write_json", fail)
    with pytest.raises(OSError, match="no space left") as raised:
        together(settings[:2], tmp_path)
    assert raised.value.__notes__ == [f"This ended the run in {tmp_path / 'seed-0'}."]
    assert not (tmp_path / "seed-1" / "settings.json").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"agent": "sac"}, r"such as fastsac, got SAC. .*--processes"),
        ({"algorithm": "bc", "agent": "sac"}, "an algorithm that trains an agent in a model, .* got bc"),
        ({"device": "meta"}, "must be on one device, got cpu, meta"),
    ],
)
def test_runs_that_cannot_learn_together_are_refused(
    changes: dict[str, Any], reason: str, settings: list[TrainSettings], tmp_path: Path
) -> None:
    uses = algorithm(changes.get("algorithm", settings[1].algorithm)).uses
    used = {name: value for name, value in settings[1].to_json().items() if name in uses}
    other = TrainSettings(**{**used, **changes})
    with pytest.raises(SettingsError, match=reason):
        together([settings[0], other], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_each_run_has_its_own_folder(settings: list[TrainSettings], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a folder for each run, got 2 settings and 1 folders"):
        run_together(settings[:2], [tmp_path])
    with pytest.raises(SettingsError, match="a folder of its own"):
        run_together(settings[:2], [tmp_path / "a", tmp_path / "." / "a"])
    with pytest.raises(SettingsError, match="on one device, got no runs"):
        run_together([], [])


def test_runs_that_collect_on_the_device(
    settings: list[TrainSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: their imagined steps are taken together as well."""
    for module in (agent, model_based):
        monkeypatch.setattr(module, "collects_on_device", lambda settings: True)
    for name, run in zip(KINDS, settings[:3], strict=False):
        train(run, tmp_path / "alone" / name, show_progress=False)
    monkeypatch.setattr(DeviceRollouts, "collect_rollouts", lambda *args, **options: pytest.fail("alone"))
    with stopped_in_a_cycle(), pytest.raises(KeyboardInterrupt):
        together(settings[:3], tmp_path / "both")
    together(settings[:3], tmp_path / "both", resume=True)
    assert_as_alone(tmp_path / "both", tmp_path / "alone", ["seed-0", "seed-1", "lambda"])


@contextmanager
def stopped_in_a_cycle() -> Iterator[None]:
    """Ask this process to stop while the second cycle of several runs is imagined."""
    original, looks = LearnedVectorEnv.look, iter(range(10_000))

    def look(env: LearnedVectorEnv) -> None:
        if next(looks) == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        original(env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LearnedVectorEnv, "look", look)
        yield


def test_seeds_learn_together(settings: list[TrainSettings], alone: Path, tmp_path: Path) -> None:
    started: list[int] = []
    found = run_seeds(
        settings[0],
        [1, 0],
        tmp_path,
        together=True,
        show_progress=False,
        on_start=lambda run: started.append(run.settings.seed),
    )
    assert [result.seed for result in found.results] == started == [1, 0]
    assert_as_alone(tmp_path, alone, ["seed-0", "seed-1"])


def test_seeds_that_cannot_learn_together_are_refused(settings: list[TrainSettings], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"together=True needs processes=1, .* got 2"):
        run_seeds(settings[0], [0, 1], tmp_path, together=True, processes=2)
    with pytest.raises(SettingsError, match="such as fastsac, got SAC"):
        run_seeds(tiny_settings(), [0, 1], tmp_path, together=True)
    assert list(tmp_path.iterdir()) == []
