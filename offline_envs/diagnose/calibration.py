"""Does the model know when it is wrong, and are its predictive intervals calibrated?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from matplotlib.axes import Axes

from offline_envs.data import output_names
from offline_envs.diagnose.base import Advice, Chapter, Row, Section
from offline_envs.diagnose.evidence import REAL, Evidence
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save
from offline_envs.dynamics import MEASURES
from offline_envs.evaluation import LEVELS, Bin, Calibration, prediction_error

RELIABILITY_TITLE = "Does the model know when it is wrong?"
INTERVALS_TITLE = "Do the predictive intervals contain the truth as often as they should?"

GOOD_RANKING, FAIR_RANKING = 0.7, 0.4
"""Rank correlations above which a measure is called good or fair at ranking errors."""

WIDE, NARROW = 0.95, 0.85
"""Observed shares beyond which 90 % intervals are called too wide or too narrow."""

SHOWN_LEVEL = 0.9
MAX_DIMENSIONS = 40  # more would not fit on one axis


@dataclass(frozen=True)
class CalibrationReport(Section):
    """Calibration on held-out steps and, with a policy, on its real steps.

    Attributes:
        name: Name of the held-out steps.
        holdout: Calibration on held-out steps.
        real: Calibration on the policy's real steps, or None.
        names: Names of (reward, next_obs), 1 + d.
    """

    name: str
    holdout: Calibration
    real: Calibration | None
    names: Sequence[str]

    @classmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Compare uncertainty and error on each set of real steps."""
        name, real = evidence.holdout.name, None
        if REAL in evidence.steps:
            real = _calibration(evidence, REAL, with_reward=evidence.truth.same_reward)
        names = output_names(evidence.transitions)
        return cls(name, _calibration(evidence, name, with_reward=True), real, names)

    @property
    def by_source(self) -> dict[str, Calibration]:
        """Calibration on each set of steps by its name."""
        return {self.name: self.holdout, **({} if self.real is None else {REAL: self.real})}

    def chapters(self) -> list[Chapter]:
        """The reliability curves and, of probabilistic members, the predictive intervals."""
        reliability = Chapter(
            "reliability",
            RELIABILITY_TITLE,
            "Steps in order of their uncertainty, ten bins of equal count. A useful measure rises from left "
            "to right; the rank correlation says how faithfully it orders single steps (1 is perfect, 0 is "
            "chance). max_std also predicts the size of the error: on the dashed line the two are equal.",
            lambda path: plot_reliability(self.by_source, path),
            [row for source, found in self.by_source.items() for row in bin_rows(source, found)],
        )
        if self.holdout.shares is None:
            return [reliability]
        intervals = Chapter(
            "intervals",
            INTERVALS_TITLE,
            "Central intervals of the mixture of the elites' Gaussians with equal weights, from which steps "
            "are drawn. Above the line, or to its right, they are too wide: rollouts are noisier than the "
            "real environment, and penalties are larger. Below it, or to its left, they are too narrow.",
            lambda path: plot_intervals(self.by_source, self.names, path),
            [row for s, found in self.by_source.items() for row in interval_rows(s, found, self.names)],
        )
        return [reliability, intervals]

    def advice(self) -> list[Advice]:
        """Advice on the measure that ranks errors best, and on the width of the intervals."""
        return [self._ranking(), *self._intervals()]

    def _ranking(self) -> Advice:
        why = " ".join(
            f"On {found.n:,} {source}, the rank correlation with the true error is "
            + ", ".join(f"{_number(r)} ({name})" for name, r in found.correlation.items())
            + "."
            for source, found in self.by_source.items()
        )
        best = (self.real or self.holdout).best
        if best is None:
            return Advice("measure", "none: every measure is constant", "", why, warning=True)
        name, value = best
        figures = ", ".join(
            f"{_number(found.correlation[name])} on {source}" for source, found in self.by_source.items()
        )
        grade = "well" if value > GOOD_RANKING else "fairly" if value > FAIR_RANKING else "poorly"
        return Advice(
            "measure",
            f"{name} ranks errors best: {grade}",
            f"rank correlation {figures}",
            why,
            warning=value <= FAIR_RANKING,
        )

    def _intervals(self) -> list[Advice]:
        overall = self.holdout.overall()
        if not overall:
            return []
        why = " ".join(
            f"On {found.n:,} {source}, "
            + ", ".join(f"{level:.0%} intervals contain {s:.1%}" for level, s in found.overall().items())
            + " of the truth."
            for source, found in self.by_source.items()
        )
        share = overall[SHOWN_LEVEL]
        verdict = "too wide" if share > WIDE else "too narrow" if share < NARROW else "about right"
        if verdict != "about right":
            why += " The environments' setting spread='calibrated' fits a factor that corrects the width."
        figures = "contain " + ", ".join(f"{s:.0%} at {level:.0%}" for level, s in overall.items())
        return [Advice("predictive intervals", verdict, figures, why, warning=verdict != "about right")]


def bin_rows(source: str, found: Calibration) -> list[Row]:
    """The reliability curves of one set of steps."""
    return [
        {
            "source": source,
            "measure": name,
            "bin": number,
            "uncertainty": bin_.uncertainty,
            "error": bin_.error,
            "n": bin_.n,
        }
        for name, bins in found.bins.items()
        for number, bin_ in enumerate(bins)
    ]


def interval_rows(source: str, found: Calibration, names: Sequence[str]) -> list[Row]:
    """The shares inside the intervals on one set of steps, by dimension and overall."""
    if found.shares is None:
        return []
    columns = torch.cat([found.shares, found.shares.nanmean(dim=1, keepdim=True)], dim=1).T.tolist()
    return [
        {
            "source": source,
            "dimension": name,
            **{f"inside {p:.0%}": s for p, s in zip(LEVELS, column, strict=True)},
        }
        for name, column in zip([*names, "all"], columns, strict=True)
    ]


def plot_reliability(by_source: Mapping[str, Calibration], path: Path) -> None:
    """Draw mean true error against mean uncertainty, bins of equal count, one panel for each measure."""
    measures = list(next(iter(by_source.values())).bins)
    figure, axes = panels(1, max(1, len(measures)), RELIABILITY_TITLE, height=4.0)
    for panel, name in zip(axes, measures, strict=False):
        bins = [b for found in by_source.values() for b in found.bins[name]]
        for source, found in by_source.items():
            label = f"{source}: rank correlation {_number(found.correlation[name])}"
            _draw_curve(panel, found.bins[name], COLORS[source], label)
        log_axis(panel, "x", [b.uncertainty for b in bins])
        log_axis(panel, "y", [b.error for b in bins])
        if MEASURES[name].needs_variance:
            _draw_diagonal(panel, bins)
        panel.set(
            title=name,
            xlabel="mean uncertainty u of a tenth of the steps",
            ylabel="their mean error ‖next_obs − prediction‖",
        )
        panel.legend(fontsize="small")
    save(figure, path)


def plot_intervals(by_source: Mapping[str, Calibration], names: Sequence[str], path: Path) -> None:
    """Draw the share of the truth inside the predictive intervals, overall and by dimension."""
    figure, (left, right) = panels(1, 2, INTERVALS_TITLE, height=4.6)
    names = names[:MAX_DIMENSIONS]
    left.plot([0, 1], [0, 1], "--", color="0.2", label="calibrated")
    right.axvline(SHOWN_LEVEL, ls="--", color="0.2")
    for source, found in by_source.items():
        color, share = COLORS[source], found.overall()
        left.plot(list(share), list(share.values()), "o-", color=color, label=source)
        assert found.shares is not None
        by_dimension = found.shares[LEVELS.index(SHOWN_LEVEL)][: len(names)]
        right.plot(by_dimension, np.arange(len(names)), "o", color=color)
    left.set(
        title="all dimensions (above the line: intervals too wide)",
        xlabel="nominal share",
        ylabel="share of the truth inside",
    )
    right.set(title=f"{SHOWN_LEVEL:.0%} intervals by dimension", xlabel="share of the truth inside")
    right.set_yticks(np.arange(len(names)), names, fontsize="small")
    right.invert_yaxis()
    legend_below(figure, [left])
    save(figure, path)


def _calibration(evidence: Evidence, source: str, *, with_reward: bool) -> Calibration:
    steps = evidence.steps[source]
    measured = prediction_error(
        evidence.assembly.model, steps.obs, steps.actions, steps.rewards, steps.next_obs
    )
    return Calibration.of(evidence.uncertainty[source], measured, with_reward=with_reward)


def _draw_curve(panel: Axes, bins: list[Bin], color: str, label: str) -> None:
    x, y = [b.uncertainty for b in bins], [b.error for b in bins]
    panel.plot(x, y, "o-", ms=4, color=color, label=label)


def _draw_diagonal(panel: Axes, bins: list[Bin]) -> None:
    ends = [min(b.uncertainty for b in bins), max(b.uncertainty for b in bins)]
    panel.plot(ends, ends, "--", color="0.2", label="error = u")


def _number(correlation: float | None) -> str:
    return "undefined" if correlation is None else f"{correlation:.2f}"
