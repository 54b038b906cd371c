from pathlib import Path

import torch

from offline_envs.diagnose.calibration import CalibrationReport
from offline_envs.evaluation import Calibration, PredictionError, Uncertainty


def calibration(u: torch.Tensor, quantile: torch.Tensor | None) -> Calibration:
    error = torch.arange(20.0)
    return Calibration.of(Uncertainty({"max_std": u}, error), PredictionError(error, quantile))


NAMES = ["reward", "level [m]", "obs[1]"]


def report(inside: float, *, u: torch.Tensor | None = None) -> CalibrationReport:
    """Held-out steps of which a share lies in the middle of its distribution and the rest at its end."""
    quantile = torch.zeros(20, 3, dtype=torch.float64)
    quantile[: round(20 * inside)] = 0.5
    u = torch.arange(20.0) if u is None else u
    return CalibrationReport("held-out steps", calibration(u, quantile), None, NAMES)


def test_rows_are_bins_and_dimensions() -> None:
    reliability, intervals = report(0.9).chapters()
    assert [row["n"] for row in reliability.rows] == [2] * 10
    assert [row["dimension"] for row in intervals.rows] == [*NAMES, "all"]
    assert [row["inside 90%"] for row in intervals.rows] == [0.9] * 4


def test_intervals_are_called_by_their_width() -> None:
    verdicts = {inside: report(inside).advice()[1].value for inside in (0.8, 0.9, 1.0)}
    assert verdicts == {0.8: "too narrow", 0.9: "about right", 1.0: "too wide"}


def test_a_ranking_is_graded() -> None:
    ranked = report(0.9).advice()[0]
    assert (ranked.value, ranked.warning) == ("max_std ranks errors best: well", False)
    against = report(0.9, u=-torch.arange(20.0)).advice()[0]
    assert (against.value, against.warning) == ("max_std ranks errors best: poorly", True)
    constant = report(0.9, u=torch.ones(20)).advice()[0]
    assert (constant.value, constant.warning) == ("none: every measure is constant", True)


def test_deterministic_members_have_no_chapter_on_intervals(tmp_path: Path) -> None:
    found = CalibrationReport("held-out steps", calibration(torch.arange(20.0), None), None, NAMES)
    (chapter,) = found.chapters()
    assert chapter.name == "reliability"
    assert [advice.topic for advice in found.advice()] == ["measure"]
    chapter.draw(tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").stat().st_size > 1000
