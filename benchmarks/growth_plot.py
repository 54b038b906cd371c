"""The figure of `growth.py`: time above, memory below, a column an axis, both scales logarithmic."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from growth_axes import Cost
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANEL = (3.4, 3.2)  # inches
DPI = 120


LEAST_MEMORY = 1.0
"""MiB; what is smaller is not drawn."""


def plot_growth(costs: Mapping[str, Sequence[Cost]], path: Path) -> None:
    """Draw every operation's time and memory over the size.

    Args:
        costs: Axis → what was measured, the sizes of an operation in ascending order.
        path: PNG file to write.
    """
    figure = Figure(figsize=(PANEL[0] * len(costs), PANEL[1] * 2), layout="constrained")
    panels = figure.subplots(2, len(costs), squeeze=False)
    for (axis, points), (above, below) in zip(costs.items(), panels.T, strict=True):
        for name in dict.fromkeys(point.operation for point in points):
            own = [point for point in points if point.operation == name]
            sizes, known = [p.size for p in own], [p for p in own if (p.extra_peak or 0.0) >= LEAST_MEMORY]
            (line,) = above.plot(sizes, [1000 * p.seconds for p in own], "-o", markersize=3, label=name)
            below.plot(
                [p.size for p in known],
                [p.extra_peak for p in known],
                "-o",
                markersize=3,
                color=line.get_color(),
            )
        largest = max(points, key=lambda point: (point.size, point.seconds))
        _finish(above, axis, "ms")
        _finish(below, axis, "extra MiB")
        _in_proportion(above, min(p.size for p in points), largest.size, 1000 * largest.seconds)
        labels = above.get_legend_handles_labels()
        below.legend(*labels, loc="upper center", bbox_to_anchor=(0.5, -0.25), fontsize="x-small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DPI)


def _in_proportion(axes: Axes, smallest: int, largest: int, value: float) -> None:
    """Draw the line of a cost in proportion to the size, through the dearest point."""
    ends = [value * smallest / largest, value]
    axes.plot([smallest, largest], ends, color="0.6", ls=":", lw=1, label="in proportion", zorder=0)


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    axes.grid(alpha=0.25)
