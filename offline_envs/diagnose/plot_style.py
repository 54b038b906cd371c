"""Style of a diagnosis's plots: size, colours, legends and the file."""

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from offline_envs.diagnose.evidence import DATASET, POLICY, REAL, UNIFORM
from offline_envs.dynamics import HOLDOUT, SEEN

DPI = 110
PANEL = (4.6, 3.7)  # inches
WIDE = 10.0  # ratio of the largest to the smallest value from which an axis is logarithmic
SHORT = 300.0  # ratio below which a logarithmic axis also labels 2 and 5

COLORS = {DATASET: "0.5", HOLDOUT: "0.5", SEEN: "0.5", POLICY: "C0", UNIFORM: "C1", REAL: "C2"}
"""Colour of each set of steps, the same in every plot."""


def panels(rows: int, columns: int, title: str, *, height: float = PANEL[1]) -> tuple[Figure, list[Axes]]:
    """Make a figure of `rows` × `columns` panels, titled with the question that it answers."""
    figure = Figure(figsize=(PANEL[0] * columns, height * rows + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=13)
    axes: list[Axes] = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for panel in axes:
        panel.grid(alpha=0.25)
    return figure, axes


def legend_below(
    figure: Figure, axes: Sequence[Axes], *, columns: int = 4, marker_scale: float = 1.0
) -> None:
    """Draw one legend below all panels, without duplicate labels."""
    pairs = [zip(*panel.get_legend_handles_labels(), strict=True) for panel in axes]
    handles = {label: handle for panel in reversed(pairs) for handle, label in panel}
    order = dict.fromkeys(label for panel in axes for label in panel.get_legend_handles_labels()[1])
    figure.legend(
        [handles[label] for label in order],
        list(order),
        loc="outside lower center",
        ncols=columns,
        fontsize="small",
        frameon=False,
        markerscale=marker_scale,
    )


def log_axis(axes: Axes, which: str, values: Iterable[float]) -> None:
    """Make an axis, `"x"` or `"y"`, logarithmic if `values` are positive and far apart.

    Tick labels are plain numbers: 0.01 and 100 rather than powers; a short axis also labels 2 and 5.
    """
    shown = [v for v in values if isfinite(v)]
    if not shown or min(shown) <= 0 or max(shown) < WIDE * min(shown):
        return
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    short = max(shown) < SHORT * min(shown)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, path: Path) -> None:
    """Write the PNG file."""
    figure.savefig(path, format="png", dpi=DPI)
