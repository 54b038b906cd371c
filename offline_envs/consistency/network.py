"""`Discriminators`: networks that tell recorded steps from a model's, all of them in one batched product."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from offline_envs.kernels import affine

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight `(K, n_outputs, n_inputs)` and bias `(K, 1, n_outputs)` of each layer."""

Product = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Inputs `(K, B, n_inputs)`, weight and bias to `(K, B, n_outputs)`."""

SUCCESSORS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "next_obs": lambda obs, next_obs: next_obs,
    "delta": lambda obs, next_obs: next_obs - obs,
}
"""What a discriminator sees of a step's end, by the names that `successor` takes."""


def new_layers(widths: Sequence[int], generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Layers of one network, uniform weights of the variance 2 / n_inputs (He et al. 2015) and no bias."""
    layers = []
    for n_inputs, n_outputs in pairwise(widths):
        bound = math.sqrt(6 / n_inputs)
        weight = torch.empty(1, n_outputs, n_inputs).uniform_(-bound, bound, generator=generator)
        layers.append((weight, torch.zeros(1, 1, n_outputs)))
    return layers


def network(inputs: Tensor, layers: Layers, product: Product) -> Tensor:
    """Compute the logits of K networks, ReLU between the layers.

    Args:
        inputs: Standardised inputs, `(B, n_inputs)`.
        layers: Layers of all networks; the last has one output.
        product: Computes one layer.

    Returns:
        Logits, `(K, B)`.
    """
    *hidden, (weight, bias) = layers
    values = inputs.expand(len(weight), -1, -1)
    for layer_weight, layer_bias in hidden:
        values = torch.relu_(product(values, layer_weight, layer_bias))
    return product(values, weight, bias).squeeze(-1)


def differentiable(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One layer with gradients, see `Product`."""
    return torch.baddbmm(bias, inputs, weight.mT)


@dataclass(frozen=True)
class Discriminators:
    """K networks of one shape from (obs, action, next_obs) to a logit, above 0 for a recorded step.

    Attributes:
        layers: See `Layers`; all on one device.
        mean: Mean of each input, `(n_inputs,)`.
        std: Deviation of each input, `(n_inputs,)`, positive.
        successor: What they see of the next observation, a name in `SUCCESSORS`.
    """

    layers: Layers
    mean: Tensor
    std: Tensor
    successor: str

    def inputs(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Standardised inputs, `(B, 2d + k)`, from steps `(B, d)`, `(B, k)` and `(B, d)`."""
        end = SUCCESSORS[self.successor](obs, next_obs)
        return (torch.cat([obs, action, end], dim=-1) - self.mean) / self.std

    @torch.no_grad()
    def logits(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Log-odds of a recorded step, `(K, B)`, without gradients."""
        return network(self.inputs(obs, action, next_obs), self.layers, affine)

    def to(self, device: torch.device | str) -> "Discriminators":
        """The same networks on a device."""
        layers = [(weight.to(device), bias.to(device)) for weight, bias in self.layers]
        return Discriminators(layers, self.mean.to(device), self.std.to(device), self.successor)
