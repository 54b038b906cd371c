"""Layer normalisation of the rows of a layer, with a gain and a shift of each unit, and its gradient.

Ba et al. 2016, eq. 4: each row is brought to mean 0 and variance 1 over the layer's units.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-5
"""Added to the variance that is divided by, as in PyTorch."""


class NormedRows(NamedTuple):
    """Rows of one network after layer normalisation, and what its gradient needs."""

    rows: Tensor
    """`(B, width)`."""
    mean: Tensor
    """Of each row before, `(B, 1)`."""
    rstd: Tensor
    """One over the deviation of each row before, `(B, 1)`."""


class NormGradient(NamedTuple):
    """Gradient of a loss with respect to rows before layer normalisation, and to gain and shift."""

    rows: Tensor
    """`(B, width)`."""
    gain: Tensor
    """`(width,)`."""
    shift: Tensor
    """`(width,)`."""


def layer_norm(rows: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Normalise rows of any number of networks, in their own dtype.

    Args:
        rows: `(..., B, width)`.
        gain: `(..., 1, width)`.
        shift: As `gain`.
    """
    normed = functional.layer_norm(rows, rows.shape[-1:], eps=EPSILON)
    return torch.addcmul(shift, normed, gain)


def normed_rows(rows: Tensor, gain: Tensor, shift: Tensor) -> NormedRows:
    """Normalise rows of one network, and keep what `norm_gradient` needs.

    Args:
        rows: `(B, width)`.
        gain: `(width,)`.
        shift: `(width,)`.
    """
    return NormedRows(*torch.native_layer_norm(rows, gain.shape, gain, shift, EPSILON))


def norm_gradient(grad: Tensor, rows: Tensor, mean: Tensor, rstd: Tensor, gain: Tensor) -> NormGradient:
    """Compute the gradient of a loss through `normed_rows`.

    Args:
        grad: Gradient with respect to the normalised rows, `(B, width)`.
        rows: The rows before, `(B, width)`.
        mean: See `NormedRows`.
        rstd: See `NormedRows`.
        gain: `(width,)`.
    """
    backward = torch.ops.aten.native_layer_norm_backward
    # The shift's values do not matter; the operator only asks whether there is one.
    return NormGradient(*backward(grad, rows, gain.shape, mean, rstd, gain, gain, (True, True, True)))
