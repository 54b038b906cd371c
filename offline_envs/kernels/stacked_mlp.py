"""`StackedMLP`: networks of one shape computed together, with explicit gradients."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from offline_envs.kernels.flat_parameters import FlatParameters
from offline_envs.kernels.products import affine, input_gradient, weight_gradient


class Activation(NamedTuple):
    """An activation whose derivative is a function of its output."""

    apply_: Callable[[Tensor], Tensor]
    """In place."""
    derivative: Callable[[Tensor], Tensor]
    """Of the output."""


ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: Activation(torch.relu_, torch.sign),  # an output is never negative
    nn.Tanh: Activation(torch.tanh_, lambda output: 1 - output * output),
}
"""Activations that a `StackedMLP` may have."""


class Block(NamedTuple):
    """Layers computed together: all members' layers at one depth, or several heads of one member."""

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]


class Layer(NamedTuple):
    """One layer of all members, as views of the parameters and of their gradient."""

    weight: Tensor
    """`(N, n_outputs, n_inputs)`."""
    bias: Tensor
    """`(N, 1, n_outputs)`."""
    weight_grad: Tensor
    bias_grad: Tensor


class StackedMLP:
    """`N` multi-layer perceptrons of one shape, without autograd, which costs more than these layers.

    Args:
        blocks: The layers from input to output.
        n_members: Number of networks, N. A block holds the parameters of each, in order.
        activation: Activation after each layer but the last, a key of `ACTIVATIONS`.

    Attributes:
        flat: All parameters; `backward` writes `flat.gradient`.
    """

    def __init__(self, blocks: Sequence[Block], n_members: int, activation: type[nn.Module]) -> None:
        self.flat = FlatParameters([p for block in blocks for p in (*block.weights, *block.biases)])
        self.layers = _layers(self.flat, blocks, n_members)
        self._activation = ACTIVATIONS[activation]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Compute the inputs of every layer, then the outputs.

        Args:
            inputs: `(N, B, n_inputs)`, or `(1, B, n_inputs)` for all members.
        """
        values = [inputs.expand(len(self.layers[0].weight), -1, -1)]
        for depth, layer in enumerate(self.layers, start=1):
            output = affine(values[-1], layer.weight, layer.bias)
            values.append(output if depth == len(self.layers) else self._activation.apply_(output))
        return values

    def outputs(self, inputs: Tensor, dtype: torch.dtype) -> Tensor:
        """Compute the outputs alone, with hidden layers rounded to `dtype`.

        Weights are rounded at every call. The last layer is not, so outputs keep the networks' own dtype.

        Args:
            inputs: As of `forward`.
            dtype: Dtype of the hidden layers' weights, biases and activations.

        Returns:
            `(N, B, n_outputs)`.
        """
        *trunk, last = self.layers
        hidden = inputs.expand(len(last.weight), -1, -1).to(dtype)
        for layer in trunk:
            hidden = self._activation.apply_(affine(hidden, layer.weight.to(dtype), layer.bias.to(dtype)))
        return affine(hidden.to(last.weight.dtype), last.weight, last.bias)

    def backward(self, values: Sequence[Tensor], grad: Tensor) -> None:
        """Write the gradient of the parameters into `flat.gradient`.

        Args:
            values: Result of `forward`; the parameters must not have changed since.
            grad: Gradient of the outputs, `(N, B, n_outputs)`.
        """
        for depth, layer in reversed(list(enumerate(self.layers))):
            weight_gradient(grad, values[depth], out=layer.weight_grad)
            torch.sum(grad, 1, keepdim=True, out=layer.bias_grad)
            if depth > 0:
                grad = self._descend(layer, values[depth], grad)

    def input_gradient(self, values: Sequence[Tensor], grad: Tensor, *, first_column: int = 0) -> Tensor:
        """Compute the gradient of the inputs from `first_column` on, `(N, B, n_inputs - first_column)`.

        Args:
            values: As for `backward`.
            grad: As for `backward`.
            first_column: First input in the result; earlier ones are left out.
        """
        for depth in range(len(self.layers) - 1, 0, -1):
            grad = self._descend(self.layers[depth], values[depth], grad)
        # oneDNN takes a hundred times as long for rows that are slices of longer ones.
        return input_gradient(grad, self.layers[0].weight[:, :, first_column:].contiguous())

    def _descend(self, layer: Layer, inputs: Tensor, grad: Tensor) -> Tensor:
        return input_gradient(grad, layer.weight).mul_(self._activation.derivative(inputs))


def _layers(flat: FlatParameters, blocks: Sequence[Block], n_members: int) -> list[Layer]:
    sizes = [sum(p.numel() for p in part) for block in blocks for part in block]
    values, grads = torch.split(flat.values, sizes), torch.split(flat.gradient, sizes)
    layers = []
    for depth, block in enumerate(blocks):
        weights, biases = 2 * depth, 2 * depth + 1
        shape = (n_members, -1, block.weights[0].shape[1])
        weight, weight_grad = (vector[weights].view(shape) for vector in (values, grads))
        bias, bias_grad = (vector[biases].view(n_members, 1, -1) for vector in (values, grads))
        layers.append(Layer(weight, bias, weight_grad, bias_grad))
    return layers
