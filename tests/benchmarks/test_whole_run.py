from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from offline_envs.data import load_transitions
from tests.benchmarks.test_benchmarks import cells, numbers, script

EMBEDDED = "offline-envs/inverteddoublependulum-replay-v0"
PARTS = ["load", "fit", "model rollouts", "buffer", "policy", "gradient", "rest"]


def few_rows(dataset: str) -> Any:
    data = load_transitions(dataset)
    cut = {
        name: getattr(data, name)[:500] for name in ("obs", "actions", "rewards", "next_obs", "terminated")
    }
    return replace(data, **cut, episode_starts=data.episode_starts[data.episode_starts < 500], infos={})


@pytest.mark.parametrize("agent", ["sac", "fastsac"])
def test_the_parts_make_up_the_run(
    agent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = script("whole_run", monkeypatch)
    monkeypatch.setattr(benchmark, "load_transitions", few_rows)
    benchmark.main(dataset=EMBEDDED, agent=agent, epochs=1, steps=4, full_epochs=10, full_steps=40, n_envs=50)
    printed = capsys.readouterr().out
    rows = {row[0]: numbers(row) for row in cells(printed)}
    assert list(rows) == [*PARTS, "gradient steps", "all"]
    assert "4 gradient steps of 250 model transitions" in " ".join(printed.split())
    for column in range(4):
        total = rows["all"][column]
        assert sum(rows[part][column] for part in PARTS) == pytest.approx(total, abs=0.4)
    assert all(seconds >= 0 for row in rows.values() for seconds in row)


def test_costs_are_extrapolated_by_what_they_are_counted_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 of 20 epochs and 100 of 500 steps were measured: the fit takes ten times as long, a step five."""
    programs = script("mopo_programs", monkeypatch)
    program = programs.OwnProgram(None, 3.0, "sac", 1, "cpu")
    program.epochs, program.steps = 2, 100
    seconds = {"load": 3.0, "fit": 7.0, **dict.fromkeys(programs.STEP_PARTS, 1.0)}
    monkeypatch.setattr(programs.OwnProgram, "seconds", seconds)
    assert program.extrapolated(20, 500) == {
        "load": 3.0,
        "fit": 70.0,
        **dict.fromkeys(programs.STEP_PARTS, 5.0),
    }


def test_programs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("whole_run", monkeypatch)
    calls: list[tuple[str, int]] = []

    class Recorded:
        def __init__(self, name: str) -> None:
            self.name = name

        def fit_epoch(self) -> None:
            calls.append((self.name, 0))

        def train(self, steps: int) -> None:
            calls.append((self.name, steps))

    benchmark.take_turns([Recorded("a"), Recorded("b")], 1, 1500)
    assert calls == [("a", 0), ("b", 0), ("a", 1000), ("b", 1000), ("a", 500), ("b", 500)]


def test_environments_without_a_termination_function_of_the_peer_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    benchmark = script("whole_run", monkeypatch)
    with pytest.raises(typer.BadParameter, match=r"Hopper, HalfCheetah, Walker2d.*InvertedDouble"):
        benchmark.main(dataset=EMBEDDED, agent="sac", threads=0, offlinerl_kit=Path("/nowhere"))


def test_an_unknown_agent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("whole_run", monkeypatch)
    with pytest.raises(typer.BadParameter, match="sac, fastsac, got 'td3'"):
        benchmark.main(agent="td3", threads=0)


def test_a_watched_method_does_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    timing = script("timing", monkeypatch)
    numbers = [3, 1, 2]
    owner = type("Owner", (), {"pick": lambda self, index, *, add=0: numbers[index] + add})()
    stopwatch = timing.watch(owner, "pick")
    assert owner.pick(1, add=10) == 11
    assert stopwatch.seconds > 0
