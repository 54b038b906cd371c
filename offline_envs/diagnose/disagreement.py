"""How often a threshold on MOReL's disagreement between members would halt."""

from collections.abc import Sequence

import torch
from torch import Tensor

BETAS = (0.0, 5.0, 10.0)
"""Multiples β of the deviation in the threshold mean + β·std over the data."""


def thresholds(disagreement: Tensor, betas: Sequence[float] = BETAS) -> dict[float, float]:
    """The thresholds mean + β·std of the disagreement over the data, `(m,)`, by β."""
    std, mean = torch.std_mean(disagreement.double(), correction=0)
    return {beta: float(mean + beta * std) for beta in betas}


def halt_rate(disagreement: Tensor, threshold: Tensor) -> Tensor:
    """Share of steps `(m,)` whose disagreement is above each threshold, `(t,)`, float64 `(t,)`."""
    ordered = disagreement.sort().values
    above = len(ordered) - torch.searchsorted(ordered, threshold.to(ordered), right=True)
    return above.double() / len(ordered)
