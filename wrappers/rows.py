"""Rows of observations and actions as tensors."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def one_row(values: Any) -> Tensor:
    """A batch of one, copied: the environment may write to its array again, and so may the caller."""
    return torch.tensor(np.asarray(values)[None], dtype=torch.float32)


def many_rows(values: Any) -> Tensor:
    """A float32 copy: the environment may write to its array again, and so may the caller."""
    if isinstance(values, Tensor):
        return values.detach().to(torch.float32, copy=True)
    return torch.tensor(np.asarray(values), dtype=torch.float32)


def like(values: Tensor, sample: Any) -> Any:
    """`values` as the kind of array that `sample` is, on its device."""
    return values.to(sample.device) if isinstance(sample, Tensor) else values.cpu().numpy()


def on_host(values: Any) -> Any:
    """`values`, array or tensor, as a NumPy array."""
    return values.cpu().numpy() if isinstance(values, Tensor) else values
