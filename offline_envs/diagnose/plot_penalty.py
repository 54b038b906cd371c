"""Picture of the penalty beside the reward."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from offline_envs.diagnose.diagnosis import Diagnosis
from offline_envs.diagnose.penalty_scale import SHARES, PenaltyScale
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save
from offline_envs.diagnose.sources import DATASET


def plot_penalty(found: Diagnosis, path: Path) -> None:
    """Draw what λ = 1 costs, on average and at the 95 % quantile, and how u moves over an episode."""
    measures = list(found.scales[found.source].measures)
    figure, axes = panels(
        2, max(1, len(measures)), "What does the penalty cost beside the reward?", height=3.1
    )
    for column, name in enumerate(measures):
        top, bottom = axes[column], axes[column + len(measures)]
        scales = {source: scale.measures[name] for source, scale in found.scales.items()}
        _draw_cost(top, scales, labelled=column == 0)
        top.set(title=name, xlabel="cost of λ = 1, in mean |reward|")
        _draw_course(bottom, scales[DATASET].mean, {s: c for (s, m), c in found.courses.items() if m == name})
        bottom.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        bottom.set(xlabel="step of the imagined episode", ylabel="" if column else "mean u")
    legend_below(figure, axes, columns=2)
    save(figure, path)


def _draw_cost(panel: Axes, scales: Mapping[str, PenaltyScale], *, labelled: bool) -> None:
    band = f"{SHARES[0]:.0%} to {SHARES[1]:.0%} of mean |reward|: λ = 1 is right for a mean in here"
    panel.axvspan(*SHARES, color="C2", alpha=0.15, lw=0, label=band)
    for row, (source, measured) in enumerate(scales.items()):
        unit = measured.reward or 1.0
        mean, high = measured.mean / unit, measured.high / unit
        panel.plot(
            [mean, high],
            [row, row],
            "-",
            color=COLORS[source],
            lw=2,
            label=f"{source}: mean to 95% quantile",
        )
        panel.plot(mean, row, "o", color=COLORS[source])
    panel.set_yticks(range(len(scales)), list(scales) if labelled else [""] * len(scales), fontsize="small")
    panel.set_ylim(len(scales) - 0.5, -0.5)
    costs = [v / (m.reward or 1.0) for m in scales.values() for v in (m.mean, m.high)]
    log_axis(panel, "x", [*costs, *SHARES])


def _draw_course(panel: Axes, data_mean: float, curves: Mapping[str, Tensor]) -> None:
    panel.axhline(data_mean, color=COLORS[DATASET], ls="--")
    for source, curve in curves.items():
        panel.plot(np.arange(1, len(curve) + 1), curve, color=COLORS[source])
    log_axis(panel, "y", [v for curve in curves.values() for v in curve.tolist()])
