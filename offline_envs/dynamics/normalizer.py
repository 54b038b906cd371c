"""Standardisation of a network's inputs, kept with the network that was trained on it."""

import torch
from torch import Tensor, nn

SMALLEST_STD = 1e-12
"""An input that varies less than this is constant, and is divided by 1 (as in MBPO's release)."""


class Normalizer(nn.Module):
    """Shift and scale inputs to mean 0 and deviation 1.

    Args:
        size: Number of inputs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def fit(self, inputs: Tensor) -> None:
        """Take mean and deviation from `inputs`, `(n, size)`."""
        std, mean = torch.std_mean(inputs.double(), dim=0, correction=0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std < SMALLEST_STD, 1.0, std))

    def forward(self, inputs: Tensor) -> Tensor:
        """Standardise `inputs`, `(..., size)`."""
        return (inputs - self.mean) / self.std
