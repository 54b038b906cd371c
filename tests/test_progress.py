"""Every display on a terminal, where rich draws it in a thread of its own, and elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest

from offline_envs.consistency.progress import TrainingProgress
from offline_envs.dynamics.fitting.progress import FitProgress
from offline_envs.dynamics.gaussian_process.progress import OutputProgress
from offline_envs.progress import LiveProgress
from offline_envs.runs.progress import RunProgress


def fit(max_epochs: int | None) -> FitProgress:
    progress = FitProgress(7, 10, max_epochs=max_epochs)
    with progress:
        for epoch in range(2):
            progress.step(10)
            progress.epoch(1.5, [0.25, 0.5], last=epoch == 1)
    return progress


def outputs() -> OutputProgress:
    progress = OutputProgress(2, 10, done=1, shown=True)
    with progress:
        progress.step(10)
        progress.output(0.25)
    return progress


def discriminators() -> TrainingProgress:
    progress = TrainingProgress(10, 500)
    with progress:
        progress.update(10)
    return progress


def run() -> RunProgress:
    progress = RunProgress(10, shown=True)
    with progress:
        progress.evaluated(10, "real return 7")
    return progress


DISPLAYS: dict[str, tuple[Callable[[], LiveProgress], str]] = {
    "a fit that stops early": (lambda: fit(None), "epoch 2"),
    "a fit of two epochs": (lambda: fit(2), "epoch 2/2"),
    "a Gaussian process": (outputs, "output 2/2"),
    "discriminators": (discriminators, "Training discriminators on 500 transitions"),
    "a run": (run, "real return 7"),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_it_is_drawn_on_a_terminal(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A field that a column misses ends the program in the middle of its work."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    display, shown = DISPLAYS[name]
    bar: Any = display()._bar
    assert not bar.disable
    assert shown in capsys.readouterr().err


@pytest.mark.parametrize("name", DISPLAYS)
def test_it_is_a_line_elsewhere(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    DISPLAYS[name][0]()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_lines_come_now_and_then_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At 0, 20, 31, 50 and 62 seconds, the first of which begins the time; then the last one."""
    times = iter([0.0, 20.0, 31.0, 50.0, 62.0, 63.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    progress = LiveProgress(shown=True)
    for text in ("20", "31", "50", "62"):
        progress.line(text, last=False)
    progress.line("63", last=True)
    assert capsys.readouterr().err.splitlines() == ["31", "62", "63"]
