"""`Networks`: small networks that learn by Adam, from seeded initial weights."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from offline_envs.errors import SettingsError
from offline_envs.kernels import Block, FlatAdam, FlatParameters, StackedMLP


class Networks:
    """`N` networks of one shape with ReLU between their layers, on the CPU.

    Args:
        widths: Numbers of inputs, of each hidden layer's units, and of outputs.
        n: Number of networks, N.
        learning_rate: Adam's step size.
        generator: Source of the initial weights, uniform as those of `torch.nn.Linear`.
    """

    def __init__(
        self, widths: Sequence[int], n: int, *, learning_rate: float, generator: torch.Generator
    ) -> None:
        blocks = [_block(n_in, n_out, n, generator) for n_in, n_out in pairwise(widths)]
        self.mlp = StackedMLP(blocks, n, nn.ReLU)
        optimizer = torch.optim.Adam(self.mlp.flat.parameters, lr=learning_rate)
        self._adam = FlatAdam(optimizer, self.mlp.flat)
        self._adam.gather()

    @property
    def weights(self) -> FlatParameters:
        """All weights, as one vector in `values`."""
        return self.mlp.flat

    def outputs(self, inputs: Tensor) -> Tensor:
        """Outputs `(N, B, n_outputs)` of inputs `(B, n_inputs)`."""
        return self.mlp.forward(inputs[None])[-1]

    def learn(self, values: Sequence[Tensor], grad: Tensor) -> None:
        """Take a step.

        Args:
            values: Result of `mlp.forward`.
            grad: Gradient of the loss in the outputs, `(N, B, n_outputs)`.
        """
        self.mlp.backward(values, grad)
        self._adam.update()


def check_sizes(hidden: Sequence[int], **positive: float) -> None:
    """Refuse layers without units, and numbers that are not positive.

    Raises:
        SettingsError: Such a setting.
    """
    if any(units < 1 for units in hidden):
        raise SettingsError(f"hidden must be positive numbers of units, got {tuple(hidden)}.")
    for name, value in positive.items():
        if not value > 0:
            raise SettingsError(f"{name} must be positive, got {value}.")


def _block(n_inputs: int, n_outputs: int, n: int, generator: torch.Generator) -> Block:
    bound = 1 / math.sqrt(n_inputs)
    weights = [
        torch.empty(n_outputs, n_inputs).uniform_(-bound, bound, generator=generator) for _ in range(n)
    ]
    biases = [torch.empty(n_outputs).uniform_(-bound, bound, generator=generator) for _ in range(n)]
    return Block(weights, biases)
