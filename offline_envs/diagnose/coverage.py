"""Where do rollouts leave the data, and how often?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from offline_envs.diagnose.base import Advice, Chapter, Row, Section
from offline_envs.diagnose.evidence import DATASET, REAL, Evidence
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save

TITLE = "Where do rollouts leave the data?"

QUANTILE = 0.99
"""Share of held-out states that count as near the data."""

MAX_OUTSIDE = 0.1
"""Share of imagined states outside the data above which a warning is raised."""

CHUNK = 1024
"""Points compared with the data together, to bound the memory."""

MAX_POINTS = 3000  # points of a scatter plot; more would only hide each other


@dataclass(frozen=True)
class Projection:
    """The plane of the two largest principal components of some points.

    Attributes:
        centre: Mean of the points, `(d,)`.
        axes: Orthonormal directions, `(d, 2)`, the one of most variance first.
        explained: Share of the variance along each, `(2,)`.
    """

    centre: Tensor
    axes: Tensor
    explained: Tensor

    @classmethod
    def of(cls, points: Tensor) -> Self:
        """Find the plane of `points`, `(n, d)`; in one dimension, the second axis is 0."""
        centre = points.mean(dim=0)
        _, spread, directions = torch.linalg.svd(points - centre, full_matrices=False)
        variance = spread.square()
        share = variance / variance.sum().clamp(min=torch.finfo(variance.dtype).tiny)
        axes = torch.zeros(points.shape[1], 2, dtype=points.dtype)
        explained = torch.zeros(2, dtype=points.dtype)
        n = min(2, len(directions))
        axes[:, :n], explained[:n] = directions[:n].T, share[:n]
        return cls(centre, axes, explained)

    def __call__(self, points: Tensor) -> Tensor:
        """Coordinates in the plane, `(n, 2)`."""
        return (points - self.centre) @ self.axes


@dataclass(frozen=True)
class DataSupport:
    """The neighbourhood of the data: all points closer to a data point than a radius.

    Attributes:
        points: Data points, `(n, d)`.
        radius: Distance from the nearest data point within which `QUANTILE` of the held-out points lie.
    """

    points: Tensor
    radius: float

    @classmethod
    def of(cls, points: Tensor, holdout: Tensor, *, n: int) -> Self:
        """Choose the radius.

        Args:
            points: Points of the data, `(m, d)`, in random order or in the dataset's.
            holdout: Other points of the same distribution, `(k, d)`.
            n: Number of data points to keep at most; they are evenly spaced.
        """
        kept = points[torch.linspace(0, len(points) - 1, min(n, len(points))).long()]
        return cls(kept, float(torch.quantile(nearest_distance(holdout, kept), QUANTILE)))

    def is_outside(self, points: Tensor) -> Tensor:
        """Mask of the points `(m, d)` that lie farther from the data than the radius, bool `(m,)`."""
        return nearest_distance(points, self.points) > self.radius


@dataclass(frozen=True)
class Coverage(Section):
    """Distance of imagined and real states from those of the data, in deviations of the data.

    Attributes:
        projection: Plane of the two largest principal components of the data.
        data: Data states in that plane, `(n, 2)`.
        states: Set of steps → its states in that plane, `(m, 2)`.
        radius: Distance from the nearest data state within which `QUANTILE` of the held-out states lie.
        outside: Set of steps → share of states farther away than that.
        by_time: Set of steps → that share after 1, 2, … steps, `(h,)`.
        source: The imagined steps on which advice is based.
        horizon: Length of imagined episodes.
    """

    projection: Projection
    data: Tensor
    states: Mapping[str, Tensor]
    radius: float
    outside: Mapping[str, float]
    by_time: Mapping[str, Tensor]
    source: str
    horizon: int

    @classmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Compare the states that steps lead to with those of the dataset."""
        scale, split = evidence.scale, evidence.holdout
        obs = scale.standardized(evidence.transitions.obs)
        support = DataSupport.of(obs[split.others], obs[split.rows], n=evidence.settings.rows)
        steps = {name: s for name, s in evidence.steps.items() if name in (*evidence.imagined, REAL)}
        states = {name: scale.standardized(s.next_obs) for name, s in steps.items()}
        outside = {name: support.is_outside(points) for name, points in states.items()}
        projection = Projection.of(support.points)
        return cls(
            projection,
            projection(support.points),
            {name: projection(points) for name, points in states.items()},
            support.radius,
            {name: float(flags.double().mean()) for name, flags in outside.items()},
            {name: steps[name].mean_by_time(flags) for name, flags in outside.items()},
            evidence.source,
            evidence.settings.horizon,
        )

    def rows(self) -> list[Row]:
        """Share of states outside by number of the step."""
        return [
            {"source": source, "step": step + 1, "share outside": share}
            for source, shares in self.by_time.items()
            for step, share in enumerate(shares.tolist())
        ]

    def chapters(self) -> list[Chapter]:
        """One plot of the states, and of the share outside over the steps."""
        text = (
            "Left: states in the plane of the data's two largest principal components; the others are not "
            "shown, so overlap does not prove closeness. Right: the distance in all dimensions. Rollouts "
            "that never left the data would keep the curves at the dashed line."
        )
        return [Chapter("reach", TITLE, text, lambda path: plot_coverage(self, path), self.rows())]

    def advice(self) -> list[Advice]:
        """Advice on the share of imagined states outside the data."""
        each = ", ".join(f"{share:.1%} of {source}" for source, share in self.outside.items())
        share = self.outside[self.source]
        why = (
            f"{each} lead to states farther from the nearest data state than {QUANTILE:.0%} of held-out "
            f"states are ({self.radius:.2f} deviations), over up to {self.horizon} imagined steps. "
            f"With states distributed like the data, it would be {1 - QUANTILE:.0%}."
        )
        value = f"{share:.1%} of imagined states lie outside"
        return [Advice("distance from the data", value, each, why, warning=share > MAX_OUTSIDE)]


def nearest_distance(points: Tensor, data: Tensor) -> Tensor:
    """Euclidean distance of each point `(m, d)` from the nearest of the data `(n, d)`, `(m,)`."""
    # Without this mode, the distance of a point to itself is a rounding error of its squared norm.
    return torch.cat(
        [
            torch.cdist(part, data, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)
            for part in torch.split(points, CHUNK)
        ]
    )


def plot_coverage(found: Coverage, path: Path) -> None:
    """Draw states in the plane of the data's principal components, and the share outside over the steps."""
    figure, (left, right) = panels(1, 2, TITLE, height=4.6)
    for source, points in {DATASET: found.data, **found.states}.items():
        pick = torch.linspace(0, len(points) - 1, min(MAX_POINTS, len(points))).long()
        x, y = points[pick].T.numpy()
        left.plot(x, y, ".", ms=6 if source == DATASET else 2, alpha=0.5, color=COLORS[source], label=source)
    for source, share in found.by_time.items():
        right.plot(np.arange(1, len(share) + 1), share, color=COLORS[source])
    right.axhline(1 - QUANTILE, color="0.2", ls="--", lw=1, label=f"held-out states: {1 - QUANTILE:.0%}")
    log_axis(right, "x", [1, max(len(share) for share in found.by_time.values())])
    first, second = (
        f"component {i + 1} ({share:.0%} of the variance)"
        for i, share in enumerate(found.projection.explained.tolist())
    )
    left.set(title="states, standardised, in two components", xlabel=first, ylabel=second)
    right.set(
        title="share far from the data",
        xlabel="step of the episode",
        ylabel=f"share of states beyond {found.radius:.2g} deviations",
    )
    right.legend(fontsize="small")
    legend_below(figure, [left], marker_scale=2.0)
    save(figure, path)
