"""Bounds as far as rounding may carry recorded numbers beyond them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6
"""How far a number may lie outside its bound, relative to max(1, |bound|): a few float32 roundings."""


def with_rounding(low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds that are wider by `ROUNDING`, in float64; infinite ones stay as they are."""
    low, high = low.astype(np.float64), high.astype(np.float64)
    return low - ROUNDING * np.maximum(1, np.abs(low)), high + ROUNDING * np.maximum(1, np.abs(high))
