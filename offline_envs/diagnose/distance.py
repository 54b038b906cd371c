"""How far points lie from the nearest data point."""

import torch
from torch import Tensor

CHUNK = 1024
"""Points compared at once, which bounds the memory."""


def nearest_distance(points: Tensor, data: Tensor) -> Tensor:
    """Euclidean distance of each point `(m, d)` from the nearest of the data `(n, d)`, `(m,)`."""
    # Without this mode, the distance of a point to itself is a rounding error of its squared norm.
    return torch.cat(
        [
            torch.cdist(part, data, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)
            for part in torch.split(points, CHUNK)
        ]
    )
