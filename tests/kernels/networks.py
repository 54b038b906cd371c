"""Small networks as modules and stacked."""

from itertools import zip_longest

import torch
from torch import nn

from offline_envs.kernels.stacked_mlp import Block, StackedMLP


def networks(
    n: int, activation: type[nn.Module], n_outputs: int = 2, *, normed: bool = False
) -> list[nn.Sequential]:
    """Networks in float64 with 5 inputs; `normed` ones have layer norms of random gain and shift."""
    torch.manual_seed(0)
    members = []
    for _ in range(n):
        layers: list[nn.Module] = []
        for n_inputs, width in ((5, 7), (7, 6)):
            layers += [nn.Linear(n_inputs, width), *([random_norm(width)] if normed else []), activation()]
        members.append(nn.Sequential(*layers, nn.Linear(6, n_outputs)).double())
    return members


def random_norm(width: int) -> nn.LayerNorm:
    """A layer norm that does more than standardise."""
    norm = nn.LayerNorm(width)
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    nn.init.normal_(norm.bias)
    return norm


def stack(members: list[nn.Sequential], activation: type[nn.Module]) -> StackedMLP:
    """Their parameters in one stack."""
    layers, norms = parameters(members, nn.Linear), parameters(members, nn.LayerNorm)
    blocks = [Block(*layer, *norm) for layer, norm in zip_longest(layers, norms, fillvalue=())]
    return StackedMLP(blocks, len(members), activation)


def parameters(members: list[nn.Sequential], kind: type[nn.Module]) -> list[list[list[torch.Tensor]]]:
    """Of each layer of a kind, the weights of all members, then their biases."""
    each = zip(*([layer for layer in net if isinstance(layer, kind)] for net in members), strict=True)
    names = ("weight", "bias")
    return [[[layer.get_parameter(name) for layer in layers] for name in names] for layers in each]
