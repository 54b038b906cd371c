"""`Reach`: how far the states of a policy lie from those of the data."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.diagnose.distance import nearest_distance
from offline_envs.diagnose.held_out import HeldOut
from offline_envs.diagnose.penalty_scale import course
from offline_envs.diagnose.projection import Projection
from offline_envs.diagnose.rollouts import Rollouts
from offline_envs.diagnose.table import Row

QUANTILE = 0.99
"""Share of held-out states that count as near the data."""


@dataclass(frozen=True)
class Reach:
    """Where states lie, in deviations of the data.

    Attributes:
        projection: Plane of the two largest principal components of the data.
        data: Data states in that plane, `(n, 2)`.
        states: Set of steps, in words → its states in that plane, `(m, 2)`.
        radius: Distance from the nearest data state that `QUANTILE` of the held-out states keep within.
        outside: Set of steps → share of states farther than that.
        course: Set of steps → that share after 1, 2, … steps, `(h,)`.
    """

    projection: Projection
    data: Tensor
    states: Mapping[str, Tensor]
    radius: float
    outside: Mapping[str, float]
    course: Mapping[str, Tensor]

    @classmethod
    def of(
        cls,
        obs: Tensor,
        held_out: HeldOut,
        steps: Mapping[str, Rollouts],
        standardised: Mapping[str, Tensor],
        *,
        n_data: int,
    ) -> "Reach":
        """Compare states with data.

        Args:
            obs: Standardised observations of the dataset, `(n, d)`.
            held_out: Its split; `others` are in random order or in the dataset's.
            steps: Sets of steps.
            standardised: Their standardised successors, `(m, d)` each.
            n_data: Data states that are compared with, at most.
        """
        near = obs[_spread(held_out.others, n_data)]
        radius = float(torch.quantile(nearest_distance(obs[held_out.rows], near), QUANTILE))
        projection = Projection.of(near)
        far = {source: nearest_distance(points, near) > radius for source, points in standardised.items()}
        return cls(
            projection,
            projection(near),
            {source: projection(points) for source, points in standardised.items()},
            radius,
            {source: float(flags.double().mean()) for source, flags in far.items()},
            {source: course(flags, steps[source]) for source, flags in far.items()},
        )

    def rows(self) -> list[Row]:
        """Share of states outside by number of the step, as rows of a table."""
        return [
            {"source": source, "step": step + 1, "share outside": share}
            for source, shares in self.course.items()
            for step, share in enumerate(shares.tolist())
        ]


def _spread(rows: Tensor, n: int) -> Tensor:
    """At most `n` of `rows`, evenly spaced."""
    return rows[torch.linspace(0, len(rows) - 1, min(n, len(rows))).long()]
