"""Between tensors and what an environment returns, which may be NumPy arrays or tensors on any device."""

from typing import Any

from torch import Tensor


def like(values: Tensor, sample: Any) -> Any:
    """`values` as the kind of array that `sample` is, and where it is."""
    return values.to(sample.device) if isinstance(sample, Tensor) else values.cpu().numpy()


def on_host(values: Any) -> Any:
    """`values`, array or tensor, as a NumPy array."""
    return values.cpu().numpy() if isinstance(values, Tensor) else values
