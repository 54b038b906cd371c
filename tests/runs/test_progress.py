import pytest

from offline_envs.runs.progress import RunProgress


def test_without_a_terminal_there_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    progress = RunProgress(100, shown=True)
    progress.start()
    for step in range(1, 101):
        progress.advance_to(step)
        progress.evaluated(step, f"real return {step}")
    progress.stop()
    assert capsys.readouterr().err.splitlines() == [
        "1 of 100 gradient steps: real return 1",
        "100 of 100 gradient steps: real return 100",
    ]


def test_nothing_is_shown_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    progress = RunProgress(1, shown=False)
    progress.start()
    progress.evaluated(1, "real return 1")
    progress.stop()
    assert capsys.readouterr() == ("", "")
