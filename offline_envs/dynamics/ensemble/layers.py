"""The parameters of a linear layer of all members, and the soft bounds of their log-variance."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from offline_envs.kernels import is_traced

SMALLEST_STD = 1e-12
"""A column that varies less than this counts as constant and is divided by 1 (as in MBPO's release)."""

ROUNDING = 1e-6
"""Share of a column's mean below which its deviation is mostly rounding (float32 resolves 1e-7) and counts as
this share, so that noise of the last digits is not taken for a signal."""


class Normalizer(nn.Module):
    """Shift and scale inputs to mean 0 and deviation 1, less where a column deviates by rounding only.

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
        self.std.copy_(torch.where(std < SMALLEST_STD, 1.0, torch.maximum(std, ROUNDING * mean.abs())))

    def forward(self, inputs: Tensor) -> Tensor:
        """Standardise `inputs`, `(..., size)`."""
        return (inputs - self.mean) / self.std


class MemberLinear(nn.Module):
    """Weights and biases of one linear layer for each of `N` members; the product is in `networks`.

    Weights start from a normal distribution of deviation 1/(2·√n_inputs), truncated at two deviations, and
    biases from zero, as in MBPO's and MOPO's releases.

    Args:
        n_members: Number of members, N.
        n_inputs: Width of the input.
        n_outputs: Width of the output.
        generator: Source of the initial weights.

    Attributes:
        weight: `(N, n_inputs, n_outputs)`.
        bias: `(N, 1, n_outputs)`.
    """

    def __init__(self, n_members: int, n_inputs: int, n_outputs: int, *, generator: torch.Generator) -> None:
        super().__init__()
        std = 1 / (2 * math.sqrt(n_inputs))
        weight = torch.empty(n_members, n_inputs, n_outputs)
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(n_members, 1, n_outputs))


class LogVarianceBounds(nn.Module):
    """Learned lower and upper bounds of the log-variance of each output, shared by all members.

    Chua et al. 2018, appendix A.1. The bounds are soft, so that values beyond them still get gradients.

    Args:
        n_outputs: Number of outputs, 1 + d.
        low: Initial lower bound.
        high: Initial upper bound.
    """

    def __init__(self, n_outputs: int, *, low: float, high: float) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.full((n_outputs,), low))
        self.high = nn.Parameter(torch.full((n_outputs,), high))

    def forward(self, logvar: Tensor) -> Tensor:
        """Bound `logvar`, `(..., n_outputs)`, softly from above, then from below."""
        low, high = self.low, self.high
        logvar = high - functional.softplus(high - logvar)
        return low + functional.softplus(logvar - low)

    def std(self, logvar: Tensor) -> Tensor:
        """Standard deviation of the bounded log-variance, `(..., n_outputs)`.

        exp(½·forward(x)) = √(e^low + e^high·σ(x − high)), with one transcendental function instead of five.
        """
        low, high = self.low, self.high
        if is_traced():  # ONNX Runtime's sigmoid is flat below −18, and e^high makes much of it
            return (low.exp() + 1 / ((-high).exp() + (-logvar).exp())).sqrt()
        return torch.addcmul(low.exp(), high.exp(), torch.sigmoid(logvar - high)).sqrt()

    def spread(self) -> Tensor:
        """Sum of upper minus sum of lower bounds, the term that the loss reduces; a scalar."""
        return self.high.sum() - self.low.sum()
