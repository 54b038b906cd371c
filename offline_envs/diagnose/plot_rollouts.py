"""Pictures of where rollouts go: disagreement against thresholds, and states beside the data."""

from pathlib import Path

import numpy as np
import torch

from offline_envs.diagnose.disagreement import halt_rate
from offline_envs.diagnose.halting import Halting
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save
from offline_envs.diagnose.reach import QUANTILE, Reach
from offline_envs.diagnose.sources import DATASET

MOST_POINTS = 3000  # of a scatter plot; more only hide each other
N_BINS = 50
LEAST_SHARE = 1e-4  # drawn of the halt rates
MARK_STYLES = ("-", "--", ":")


def plot_disagreement(found: Halting, path: Path) -> None:
    """Draw the disagreement of each set of steps, and the share of steps that each threshold halts."""
    figure, (left, right) = panels(
        1, 2, "How far are the members apart, and which threshold halts how often?", height=4.2
    )
    grid = found.grid()
    varied = bool(grid[-1] > grid[0])
    edges = np.geomspace(float(grid[0]), float(grid[-1]), N_BINS).tolist() if varied else N_BINS
    for source, values in found.disagreement.items():
        weights = np.full(len(values), 1 / len(values))
        left.hist(values.numpy(), bins=edges, weights=weights, histtype="step", lw=1.5, color=COLORS[source])
        right.plot(grid, halt_rate(values, grid), color=COLORS[source], label=source)
    for (beta, mark), style in zip(found.marks.items(), MARK_STYLES, strict=False):
        left.axvline(mark, color="0.2", lw=1, ls=style)
        right.axvline(mark, color="0.2", lw=1, ls=style, label=f"data's mean + {beta:g}·std = {mark:.2g}")
    unit = "max ‖μ_i − μ_j‖ in deviations of the data"
    left.set(title="distribution", xlabel=f"disagreement, {unit}", ylabel="share of steps")
    right.set(
        title="halt rate",
        xlabel=f"threshold, {unit}",
        ylabel="share of steps above it",
    )
    for panel in (left, right):
        log_axis(panel, "x", [float(grid[0]), float(grid[-1])])
    right.set_ylim(LEAST_SHARE, 1.5)
    log_axis(right, "y", [LEAST_SHARE, 1.0])
    legend_below(figure, [right], columns=3)
    save(figure, path)


def plot_reach(found: Reach, path: Path) -> None:
    """Draw states in the plane of the data's principal components, and the share outside over the steps."""
    figure, (left, right) = panels(1, 2, "Where do rollouts leave the data?", height=4.6)
    for source, points in {DATASET: found.data, **found.states}.items():
        pick = torch.linspace(0, len(points) - 1, min(MOST_POINTS, len(points))).long()
        x, y = points[pick].T.numpy()
        left.plot(x, y, ".", ms=6 if source == DATASET else 2, alpha=0.5, color=COLORS[source], label=source)
    for source, share in found.course.items():
        right.plot(np.arange(1, len(share) + 1), share, color=COLORS[source])
    right.axhline(1 - QUANTILE, color="0.2", ls="--", lw=1, label=f"held-out states: {1 - QUANTILE:.0%}")
    log_axis(right, "x", [1, max(len(share) for share in found.course.values())])
    first, second = (
        f"component {i + 1} ({share:.0%} of the variance)"
        for i, share in enumerate(found.projection.explained.tolist())
    )
    left.set(title="states, standardised, in two components", xlabel=first, ylabel=second)
    right.set(
        title="how many are far from the data",
        xlabel="step of the episode",
        ylabel=f"share of states beyond {found.radius:.2g} deviations",
    )
    right.legend(fontsize="small")
    legend_below(figure, [left], marker_scale=2.0)
    save(figure, path)
