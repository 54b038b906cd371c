"""A view of many dimensions in two: principal components."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Projection:
    """The plane in which points spread most.

    Attributes:
        centre: Mean of the points, `(d,)`.
        axes: Orthonormal directions, `(d, 2)`, that of most variance first.
        explained: Share of the variance along each, `(2,)`.
    """

    centre: Tensor
    axes: Tensor
    explained: Tensor

    @classmethod
    def of(cls, points: Tensor) -> Self:
        """Find the plane of `points`, `(n, d)`; of one dimension, the second axis is 0."""
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
