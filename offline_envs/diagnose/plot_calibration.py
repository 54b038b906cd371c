"""Pictures of calibration: uncertainty against error, and predictive intervals against the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from offline_envs.diagnose.calibration import Calibration
from offline_envs.diagnose.intervals import LEVELS
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save

SHOWN_LEVEL = 0.9
MOST_DIMENSIONS = 40  # that one axis can name


def plot_reliability(found: Sequence[Calibration], path: Path) -> None:
    """Draw mean true error against mean uncertainty, bins of equal count, a panel for each measure."""
    measures = list(found[0].bins)
    figure, axes = panels(1, max(1, len(measures)), "Does the model know when it is wrong?", height=4.0)
    for panel, name in zip(axes, measures, strict=False):
        for calibration in found:
            bins = calibration.bins[name]
            correlation = calibration.correlation[name]
            known = "undefined" if correlation is None else f"{correlation:.2f}"
            x, y = [b.uncertainty for b in bins], [b.error for b in bins]
            panel.plot(
                x,
                y,
                "o-",
                ms=4,
                color=COLORS[calibration.source],
                label=f"{calibration.source}: rank correlation {known}",
            )
        bins = [b for calibration in found for b in calibration.bins[name]]
        log_axis(panel, "x", [b.uncertainty for b in bins])
        log_axis(panel, "y", [b.error for b in bins])
        if name == "max_std":
            _diagonal(panel, max(b.uncertainty for b in bins), min(b.uncertainty for b in bins))
        panel.set(
            title=name,
            xlabel="mean uncertainty u of a tenth of the steps",
            ylabel="their mean error ‖next_obs − prediction‖",
        )
        panel.legend(fontsize="small")
    save(figure, path)


def plot_intervals(found: Sequence[Calibration], path: Path) -> None:
    """Draw the share of the truth inside the predictive intervals, overall and by dimension."""
    figure, (left, right) = panels(1, 2, "Do the predictive intervals hold what they promise?", height=4.6)
    names = ["reward", *(f"obs {i}" for i in range(found[0].shares.shape[1] - 1))][:MOST_DIMENSIONS]  # type: ignore[union-attr]
    left.plot([0, 1], [0, 1], "--", color="0.2", label="as promised")
    right.axvline(SHOWN_LEVEL, ls="--", color="0.2")
    for calibration in found:
        color, share = COLORS[calibration.source], calibration.overall()
        left.plot(list(share), list(share.values()), "o-", color=color, label=calibration.source)
        by_dimension = calibration.shares[LEVELS.index(SHOWN_LEVEL)][: len(names)]  # type: ignore[index]
        right.plot(by_dimension, np.arange(len(names)), "o", color=color)
    left.set(
        title="all dimensions (above the line: intervals too wide)",
        xlabel="share promised",
        ylabel="share of the truth inside",
    )
    right.set(title=f"{SHOWN_LEVEL:.0%} intervals by dimension", xlabel="share of the truth inside")
    right.set_yticks(np.arange(len(names)), names, fontsize="small")
    right.invert_yaxis()
    legend_below(figure, [left])
    save(figure, path)


def _diagonal(panel: Axes, high: float, low: float) -> None:
    panel.plot([low, high], [low, high], "--", color="0.2", label="error = u")
