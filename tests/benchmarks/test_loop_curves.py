"""`benchmarks/loop_curves.py`: a table by hand."""

from pathlib import Path

import pytest

from offline_envs.evaluation import LearningCurve
from tests.benchmarks.test_benchmarks import script
from tests.evaluation.test_curves import result


def test_returns_are_averaged_over_seeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Half of the way from 1 to 3 is 2, and from 2 to 6 it is 4: 3 ± 1."""
    for seed, returns in enumerate([(1.0, 3.0), (2.0, 6.0)]):
        curve = LearningCurve(tmp_path / f"pets-seed{seed}.csv")
        for steps, mean in zip((100, 200), returns, strict=True):
            curve.add(steps, result(mean))
    benchmark = script("loop_curves", monkeypatch)
    benchmark.main(tmp_path, at="50,150", image=tmp_path / "curves.png")
    header, _, row = capsys.readouterr().out.splitlines()
    assert header == "| method | seeds | 50 steps | 150 steps |"
    assert row == "| pets | 2 |  | 3 ± 1 |"
    assert (tmp_path / "curves.png").exists()
