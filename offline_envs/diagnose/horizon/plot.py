"""Plot of the open-loop error against the horizon."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from offline_envs.diagnose.horizon.open_loop import LIMIT, MEAN, SAMPLED, SIMULATOR, STILL, OpenLoopError
from offline_envs.diagnose.plot_style import legend_below, log_axis, panels, save

TITLE = "How many steps ahead can the model predict?"
COLORS = ("C0", "C3")
STYLES = {SAMPLED: "-", MEAN: "--", STILL: ":"}


def plot_horizon(found: Sequence[OpenLoopError], path: Path) -> None:
    """Draw the growth of the error: one panel for each group of dimensions, one colour for the actions."""
    groups = found[0].groups
    figure, axes = panels((len(groups) + 1) // 2, 2, TITLE)
    for panel, group in zip(axes, groups, strict=False):
        panel.axhline(LIMIT, color="0.2", lw=0.8, ls="-.", label=f"{LIMIT} deviations: too inaccurate")
        bottom = _scale_axes(panel, found, group)
        for error, color in zip(found, COLORS, strict=False):
            _draw(panel, error, group, color)
            _draw_simulator(panel, error, group, bottom)
        panel.set(title=group, xlabel="steps ahead", ylabel="error in deviations of the data")
    for panel in axes[len(groups) :]:
        panel.remove()
    legend_below(figure, axes[: len(groups)], columns=2)
    save(figure, path)


def _draw(panel: Axes, error: OpenLoopError, group: str, color: str) -> None:
    for who, style in STYLES.items():
        curve = error.growth.get((who, group))
        if curve is None:
            continue
        x = np.arange(1, len(curve.n) + 1)
        panel.plot(x, curve.median, style, color=color, label=f"{who}, {error.actions}: median")
        if who == SAMPLED:
            label = f"{who}, {error.actions}: 80% of episodes"
            panel.fill_between(x, curve.low, curve.high, color=color, alpha=0.15, lw=0, label=label)


def _draw_simulator(panel: Axes, error: OpenLoopError, group: str, bottom: float) -> None:
    """Draw the simulator's error, unless it repeats the data up to rounding."""
    curve = error.growth.get((SIMULATOR, group))
    if curve is not None and bool((curve.median > bottom).any()):
        x = np.arange(1, len(curve.n) + 1)
        panel.plot(x, curve.median, color="0.6", lw=1, label="simulator from the recorded obs: median")


def _scale_axes(panel: Axes, found: Sequence[OpenLoopError], group: str) -> float:
    """Fit the axes to the model's errors; return the smallest error that is shown."""
    curves = [e.growth[who, group] for e in found for who in STYLES if (who, group) in e.growth]
    values = [v for curve in curves for v in (*curve.low.tolist(), *curve.high.tolist()) if v > 0]
    log_axis(panel, "x", [1, max(len(curve.n) for curve in curves)])
    log_axis(panel, "y", [LIMIT, *values])
    bottom: float = min(values, default=LIMIT) / 2
    if panel.get_yscale() == "log":
        panel.set_ylim(bottom, 2 * max(LIMIT, *values))
    return bottom
