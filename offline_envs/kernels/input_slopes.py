"""`InputSlopes`: derivatives of networks by their inputs, and the gradient of a loss of these."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from offline_envs.kernels.products import affine, input_gradient, weight_gradient
from offline_envs.kernels.stacked_mlp import ACTIVATIONS, StackedMLP

RELU = ACTIVATIONS[nn.ReLU]


class InputSlopes:
    """The slopes ∂y/∂x of stacked networks of ReLU with one output y, at given inputs x.

    A ReLU network is linear around almost every x: y = w_L D_{L−1} W_{L−1} … D_1 W_1 x + b, with fixed 0s
    and 1s on the diagonals D. So a slope along a direction v is what the network without biases and with
    these D makes of v. Layer l takes the gradient of Σ g y + v · ∂y/∂x, with respect to its weights, from
    what it gets of x and of v and from the derivative of y by its output, which the two have in common: one
    matrix product for both, as if there were no slopes in the loss.

    Args:
        network: Networks of ReLU with one output each.
        values: Result of `network.forward`; the parameters must not change before `backward`.
    """

    def __init__(self, network: StackedMLP, values: Sequence[Tensor]) -> None:
        self._layers, self._values = network.layers, values
        by_outputs = [torch.ones_like(values[-1])]
        for layer, hidden in zip(self._layers[:0:-1], values[-2:0:-1], strict=True):
            by_outputs.append(RELU.descend_(input_gradient(by_outputs[-1], layer.weight), hidden))
        self._by_outputs = by_outputs[::-1]
        """Derivatives of y by the outputs of each layer, before ReLU."""

    def by_inputs(self, first_column: int = 0) -> Tensor:
        """Derivatives of y by the inputs from `first_column` on, `(N, B, n_inputs - first_column)`."""
        return input_gradient(self._by_outputs[0], self._layers[0].weight[:, :, first_column:].contiguous())

    def backward(self, grad: Tensor, slope_grad: Tensor) -> None:
        """Write the gradient of a loss with respect to all parameters into the network's `flat.gradient`.

        Args:
            grad: Gradient of the loss with respect to y, `(N, B, 1)`.
            slope_grad: The same with respect to the derivatives by the last of the inputs, `(N, B, n)`.
        """
        n_inputs = self._values[0].shape[-1]
        along = functional.pad(slope_grad, (n_inputs - slope_grad.shape[-1], 0))
        for depth, (layer, by_output) in enumerate(zip(self._layers, self._by_outputs, strict=True)):
            if depth > 0:
                along = RELU.descend_(affine(along, self._layers[depth - 1].weight), self._values[depth])
            weight_gradient(by_output, torch.addcmul(along, grad, self._values[depth]), out=layer.weight_grad)
            torch.sum(by_output * grad, 1, keepdim=True, out=layer.bias_grad)
