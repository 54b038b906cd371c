"""`StackedMLP`: networks of one shape computed together, with explicit gradients."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from offline_envs.kernels.flat_parameters import FlatParameters
from offline_envs.kernels.layer_norm import layer_norm, norm_gradient, normed_rows
from offline_envs.kernels.products import affine, input_gradient, weight_gradient


class Activation(NamedTuple):
    """An activation whose derivative is a function of its output."""

    apply_: Callable[[Tensor], Tensor]
    """In place."""
    descend_: Callable[[Tensor, Tensor], Tensor]
    """Multiply a gradient by the derivative at an output, in place."""


def _descend_relu(grad: Tensor, output: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.grad_input(grad, output, 0, grad_input=grad)  # type: ignore[no-any-return]


def _descend_tanh(grad: Tensor, output: Tensor) -> Tensor:
    return torch.ops.aten.tanh_backward.grad_input(grad, output, grad_input=grad)  # type: ignore[no-any-return]


ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: Activation(torch.relu_, _descend_relu),
    nn.Tanh: Activation(torch.tanh_, _descend_tanh),
}
"""Activations that a `StackedMLP` may have."""


class Block(NamedTuple):
    """Layers computed together: all members' layers at one depth, or several heads of one member."""

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]
    gains: Sequence[Tensor] = ()
    """Of a layer normalisation before the activation; none without."""
    shifts: Sequence[Tensor] = ()


class Norm(NamedTuple):
    """Layer normalisation of all members, as views of the parameters and of their gradient, `(N, width)`."""

    gain: Tensor
    shift: Tensor
    gain_grad: Tensor
    shift_grad: Tensor


class Layer(NamedTuple):
    """One layer of all members, as views of the parameters and of their gradient."""

    weight: Tensor
    """`(N, n_outputs, n_inputs)`."""
    bias: Tensor
    """`(N, 1, n_outputs)`."""
    weight_grad: Tensor
    bias_grad: Tensor
    norm: Norm | None
    """What the outputs are normalised by."""


class StackedMLP:
    """`N` multi-layer perceptrons of one shape, without autograd, which costs more than these layers.

    Args:
        blocks: The layers from input to output. Either all but the last are normalised, or none is.
        n_members: Number of networks, N. A block holds the parameters of each, in order.
        activation: Activation after each layer but the last, a key of `ACTIVATIONS`.

    Attributes:
        flat: All parameters; `backward` writes `flat.gradient`.
    """

    def __init__(self, blocks: Sequence[Block], n_members: int, activation: type[nn.Module]) -> None:
        self.flat = FlatParameters([p for block in blocks for part in block for p in part])
        self.layers = _layers(self.flat, blocks, n_members)
        self._activation = ACTIVATIONS[activation]

    @property
    def is_normed(self) -> bool:
        """Whether hidden layers are normalised."""
        return self.layers[0].norm is not None

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Compute what `backward` needs, and the outputs.

        Args:
            inputs: `(N, B, n_inputs)`, or `(1, B, n_inputs)` for all members.

        Returns:
            The inputs, then of each hidden layer what it passes on, and last the outputs, with `N` and `B` as
            first dimensions. Where layers are normalised, three tensors precede each that is passed on.
        """
        values = [inputs.expand(len(self.layers[0].weight), -1, -1)]
        for layer in self.layers[:-1]:
            values += self._hidden(layer, affine(values[-1], layer.weight, layer.bias))
        last = self.layers[-1]
        return [*values, affine(values[-1], last.weight, last.bias)]

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
            product = affine(hidden, layer.weight.to(dtype), layer.bias.to(dtype))
            if layer.norm is not None:
                gain, shift = (part.to(dtype)[:, None] for part in layer.norm[:2])
                product = layer_norm(product, gain, shift)
            hidden = self._activation.apply_(product)
        return affine(hidden.to(last.weight.dtype), last.weight, last.bias)

    def backward(self, values: Sequence[Tensor], grad: Tensor) -> None:
        """Write the gradient of the parameters into `flat.gradient`.

        Args:
            values: Result of `forward`; the parameters must not have changed since.
            grad: Gradient of the outputs, `(N, B, n_outputs)`.
        """
        for depth, layer in reversed(list(enumerate(self.layers))):
            weight_gradient(grad, values[self._place(depth)], out=layer.weight_grad)
            torch.sum(grad, 1, keepdim=True, out=layer.bias_grad)
            if depth > 0:
                grad, *norm_grads = self._descend(depth, values, grad)
                for found, out in zip(norm_grads, self._norm_grads(depth - 1), strict=True):
                    out.copy_(found)

    def input_gradient(self, values: Sequence[Tensor], grad: Tensor, *, first_column: int = 0) -> Tensor:
        """Compute the gradient of the inputs from `first_column` on, `(N, B, n_inputs - first_column)`.

        Args:
            values: As for `backward`.
            grad: As for `backward`.
            first_column: First input in the result; earlier ones are left out.
        """
        for depth in range(len(self.layers) - 1, 0, -1):
            grad = self._descend(depth, values, grad)[0]
        # oneDNN takes a hundred times as long for rows that are slices of longer ones.
        return input_gradient(grad, self.layers[0].weight[:, :, first_column:].contiguous())

    def _hidden(self, layer: Layer, product: Tensor) -> list[Tensor]:
        """What `_descend` needs of a hidden layer, from its product; last what it passes on."""
        if layer.norm is None:
            return [self._activation.apply_(product)]
        each = [normed_rows(*rows) for rows in zip(product, layer.norm.gain, layer.norm.shift, strict=True)]
        normed, mean, rstd = (torch.stack(part) for part in zip(*each, strict=True))
        return [product, mean, rstd, self._activation.apply_(normed)]

    def _place(self, depth: int) -> int:
        """Index of the inputs of a layer in the result of `forward`."""
        return depth * (4 if self.is_normed else 1)

    def _norm_grads(self, depth: int) -> tuple[Tensor, ...]:
        norm = self.layers[depth].norm
        return () if norm is None else (norm.gain_grad, norm.shift_grad)

    def _descend(self, depth: int, values: Sequence[Tensor], grad: Tensor) -> tuple[Tensor, ...]:
        """Go from the gradient of the product of layer `depth` to that of the layer before.

        Returns:
            That gradient, `(N, B, n_outputs)`; then those of the gain and the shift in between, if any.
        """
        place, norm = self._place(depth), self.layers[depth - 1].norm
        grad = self._activation.descend_(input_gradient(grad, self.layers[depth].weight), values[place])
        if norm is None:
            return (grad,)
        members = zip(grad, *values[place - 3 : place], norm.gain, strict=True)
        return tuple(map(torch.stack, zip(*(norm_gradient(*member) for member in members), strict=True)))


def _layers(flat: FlatParameters, blocks: Sequence[Block], n_members: int) -> list[Layer]:
    sizes = [sum(p.numel() for p in part) for block in blocks for part in block if part]
    values, grads = (iter(torch.split(vector, sizes)) for vector in (flat.values, flat.gradient))
    layers = []
    for block in blocks:
        shape = (n_members, -1, block.weights[0].shape[1])
        weight, weight_grad = (next(vector).view(shape) for vector in (values, grads))
        bias, bias_grad = (next(vector).view(n_members, 1, -1) for vector in (values, grads))
        norm = None
        if block.gains:
            parts = [next(vector).view(n_members, -1) for vector in (values, values, grads, grads)]
            norm = Norm(*parts)
        layers.append(Layer(weight, bias, weight_grad, bias_grad, norm))
    return layers
