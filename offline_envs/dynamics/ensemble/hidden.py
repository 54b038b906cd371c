"""What follows the product of a hidden layer: layer normalisation, if any, and the activation."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from offline_envs.kernels import layer_norm

SLOPE = 0.01
"""Slope of the leaky ReLU below zero."""


class Activation(NamedTuple):
    """An activation and its gradient.

    Attributes:
        function: The activation of a tensor; `inplace=True` overwrites it.
        backward: Gradient of its input, from the gradient of its output and its input.
    """

    function: Callable[..., Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


def _leaky_relu_backward(grad: Tensor, before: Tensor) -> Tensor:
    gradient: Tensor = torch.ops.aten.leaky_relu_backward(grad, before, SLOPE, False)
    return gradient


SILU = Activation(functional.silu, torch.ops.aten.silu_backward)

ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "silu": SILU,
        "leaky_relu": Activation(partial(functional.leaky_relu, negative_slope=SLOPE), _leaky_relu_backward),
    }
)
"""Every activation by the name that the `activation` setting of an ensemble takes."""


class MemberLayerNorm(nn.Module):
    """Gain and shift of the layer normalisation of one layer for each of `N` members.

    Ba et al. 2016, eq. 4: each row is brought to mean 0 and variance 1 over the layer's units.

    Args:
        n_members: Number of members, N.
        width: Number of units.

    Attributes:
        gain: `(N, 1, width)`, ones at first.
        shift: `(N, 1, width)`, zeros at first.
    """

    def __init__(self, n_members: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n_members, 1, width))
        self.shift = nn.Parameter(torch.zeros(n_members, 1, width))


class Hidden(NamedTuple):
    """What follows the product of each hidden layer.

    Attributes:
        activation: The activation, the same in all layers.
        norms: Gain and shift `(N, 1, width)` of each hidden layer; empty without normalisation.
    """

    activation: Activation = SILU
    norms: Sequence[tuple[Tensor, Tensor]] = ()

    def __call__(self, depth: int, product: Tensor, *, inplace: bool = False) -> Tensor:
        """Normalise and activate the product of hidden layer `depth`, `(N, B, width)`, in its own dtype."""
        if self.norms:
            gain, shift = (part.to(product.dtype) for part in self.norms[depth])
            product = layer_norm(product, gain, shift)
        return self.activation.function(product, inplace=inplace)

    def of(self, members: Tensor | int | None) -> "Hidden":
        """The same for some members, int64 `(M,)`, for one, whose rows are `(B, width)`, or for all."""
        if members is None or not self.norms:
            return self
        return self._replace(norms=[(gain[members], shift[members]) for gain, shift in self.norms])


PLAIN = Hidden()
"""SiLU without normalisation, as in MBPO's and MOPO's releases."""
