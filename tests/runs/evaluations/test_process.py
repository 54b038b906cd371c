import os
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from offline_envs.agents import AGENTS
from offline_envs.errors import DatasetError, OfflineEnvsError, SettingsError
from offline_envs.plugins import load_plugins
from offline_envs.runs import RunFolder, TrainSettings, run_seeds, run_together, train
from offline_envs.runs.algorithms import learning
from offline_envs.runs.evaluations.evaluator import Scores
from offline_envs.runs.evaluations.process import EvaluationProcess
from offline_envs.sb3 import LAST_POLICY
from tests.runs.resuming.test_resume import parameters
from tests.runs.test_sent_errors import ROOT, refuse
from tests.runs.tiny import tiny_settings

pytestmark = pytest.mark.usefixtures("one_thread")


def learned(folder: Path) -> dict[str, Any]:
    """Evaluations without their times, the result, and the weights of the last policy."""
    run = RunFolder(folder)
    rows = [{**vars(row), "seconds": None} for row in run.read_metrics()]
    last = parameters(run.policies / LAST_POLICY)
    weights = {name: value.tolist() for name, value in last.items() if isinstance(value, Tensor)}
    return {"rows": rows, "result": run.result(), "weights": weights}


@pytest.fixture(scope="module")
def settings(tiny_model: Path) -> TrainSettings:
    """Six evaluations, of an average and of current weights."""
    found = tiny_settings(model=str(tiny_model), agent="fastsac", gradient_steps=12, choose="model")
    options = {**found.agent_options, "actor_ema_decay": 0.5}
    return TrainSettings(**{**vars(found), "agent_options": options})


@pytest.fixture(scope="module")
def alone(settings: TrainSettings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the run learns without the process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    train(settings, folder, show_progress=False)
    return learned(folder)


def beside(settings: TrainSettings) -> TrainSettings:
    return TrainSettings(**{**vars(settings), "evaluate_beside": True})


def test_a_run_ends_as_it_does_without_the_process(
    settings: TrainSettings, alone: dict[str, Any], tmp_path: Path
) -> None:
    told: list[int] = []

    def note(row: Mapping[str, Any], folder: Path) -> None:
        told.append(row["gradient_steps"])

    train(beside(settings), tmp_path / "beside", show_progress=False, callbacks=[note])
    assert learned(tmp_path / "beside") == alone
    assert told == [row.gradient_steps for row in RunFolder(tmp_path / "beside").read_metrics()]
    assert len(told) == 6


def test_training_continues_until_the_next_evaluation(
    settings: TrainSettings, alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that never says so before it is waited for."""
    waited: list[str] = []

    class Slow(EvaluationProcess):
        def ask(self, policy: Path) -> None:
            waited.append("ask")
            super().ask(policy)

        def has_answered(self) -> bool:
            return False

        def answer(self) -> Scores:
            waited.append("answer")
            return super().answer()

    monkeypatch.setattr(learning, "EvaluationProcess", Slow)
    train(beside(settings), tmp_path / "beside", show_progress=False)
    assert learned(tmp_path / "beside") == alone
    assert waited == ["ask", "answer"] * 6


@pytest.mark.parametrize(("step", "together"), [(6, False), (10, False), (10, True)])
def test_an_interrupted_run_misses_no_evaluation(
    *,
    step: int,
    together: bool,
    settings: TrainSettings,
    alone: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is stopped by a callback as well, whose evaluation comes when the next one is due.

    The one of 10 steps comes when all 12 are taken, so that nothing but an evaluation is left.
    """
    monkeypatch.setattr(EvaluationProcess, "has_answered", lambda self: False)
    told: list[int] = []

    def stop(row: Mapping[str, Any], folder: Path) -> None:
        told.append(row["gradient_steps"])
        if told == list(range(2, step + 1, 2)):
            raise RuntimeError("enough")

    def run(**options: Any) -> None:
        options |= {"show_progress": False, "callbacks": [stop]}
        if together:
            run_together([beside(settings)], [tmp_path / "beside"], **options)
        else:
            train(beside(settings), tmp_path / "beside", **options)

    with pytest.raises(RuntimeError, match="enough"):
        run()
    run(resume=True)
    assert learned(tmp_path / "beside") == alone
    assert told == [2, 4, 6, 8, 10, 12]


def test_a_signal_stops_the_run_with_all_evaluations(
    settings: TrainSettings, alone: dict[str, Any], tmp_path: Path
) -> None:
    def interrupt(row: Mapping[str, Any], folder: Path) -> None:
        if row["gradient_steps"] == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(beside(settings), tmp_path / "beside", show_progress=False, callbacks=[interrupt])
    assert RunFolder(tmp_path / "beside").read_metrics()
    train(beside(settings), tmp_path / "beside", show_progress=False, resume=True)
    assert learned(tmp_path / "beside") == alone


def test_errors_there_are_raised_here(tmp_path: Path) -> None:
    with EvaluationProcess(tiny_settings(), seed=0) as process:
        process.ask(tmp_path / "none.zip")
        with pytest.raises(FileNotFoundError, match=r"none\.zip"):
            process.answer()


class Refused:
    """Raises an error where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return refuse, ()


def test_an_error_there_that_cannot_be_sent_is_told_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)  # the process imports `refuse`
    with EvaluationProcess(tiny_settings(), seed=0) as process:
        process.ask(Refused())  # type: ignore[arg-type]
        with pytest.raises(OfflineEnvsError, match="CodedError: the licence server refused"):
            process.answer()


def killed(process: EvaluationProcess) -> None:
    process._process.kill()
    process._process.join()


@pytest.mark.parametrize("asked_first", [True, False])
def test_its_death_is_an_error_whenever_it_comes(asked_first: bool, tmp_path: Path) -> None:
    """Before the question, or before it was read: the process takes seconds to start."""
    with EvaluationProcess(tiny_settings(), seed=0) as process:
        if asked_first:
            process.ask(tmp_path / "policy.zip")
        killed(process)
        if not asked_first:
            process.ask(tmp_path / "policy.zip")
        assert process.has_answered()
        with pytest.raises(OfflineEnvsError, match=r"died with status -9. In a script, a run with"):
            process.answer()


def test_an_error_before_the_question_is_raised_here(tmp_path: Path) -> None:
    with EvaluationProcess(tiny_settings(dataset=str(tmp_path / "none.npz")), seed=0) as process:
        process._process.join()
        process.ask(tmp_path / "policy.zip")
        with pytest.raises(DatasetError, match=r"none\.npz"):
            process.answer()


PLUGIN = """
from offline_envs.agents import AGENTS

AGENTS.register("tests/mine", AGENTS["fastsac"])
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module on the import path that registers the agent `tests/mine`, which is forgotten afterwards."""
    (tmp_path / "plugged_in.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS))
    yield "plugged_in"
    sys.modules.pop("plugged_in", None)


@pytest.mark.parametrize("together", [False, True])
def test_the_process_knows_what_a_plugin_registers(
    *, together: bool, plugin: str, settings: TrainSettings, alone: dict[str, Any], tmp_path: Path
) -> None:
    """Otherwise the run ends at its first evaluation, after the fit, as the process knows no such agent."""
    prepare = partial(load_plugins, [plugin])
    prepare()
    mine = TrainSettings(**{**vars(beside(settings)), "agent": "tests/mine"})
    options: dict[str, Any] = {"prepare": prepare, "together": together, "show_progress": False}
    run_seeds(mine, [0], tmp_path, **options)
    assert learned(tmp_path / "seed-0") == alone


@pytest.mark.parametrize("together", [False, True])
def test_what_cannot_reach_the_process_is_refused_before_a_fit(
    *, together: bool, settings: TrainSettings, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"prepare": lambda: None, "together": together, "show_progress": False}
    with pytest.raises(SettingsError, match=r"must be a function of a module.*<lambda>.*cannot be pickled"):
        run_seeds(beside(settings), [0], tmp_path, **options)
    assert not (tmp_path / "seed-0" / "settings.json").exists()


def test_processes_of_seeds_evaluate_by_themselves(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="evaluate_beside starts a process"):
        run_seeds(tiny_settings(evaluate_beside=True), [0, 1], tmp_path, processes=2)
