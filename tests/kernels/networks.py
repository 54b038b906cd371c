"""Small networks as modules and stacked."""

import torch
from torch import nn

from offline_envs.kernels.stacked_mlp import Block, StackedMLP


def networks(n: int, activation: type[nn.Module], n_outputs: int = 2) -> list[nn.Sequential]:
    """Networks in float64 with 5 inputs."""
    torch.manual_seed(0)
    layers = [
        (nn.Linear(5, 7), activation(), nn.Linear(7, 6), activation(), nn.Linear(6, n_outputs))
        for _ in range(n)
    ]
    return [nn.Sequential(*each).double() for each in layers]


def stack(members: list[nn.Sequential], activation: type[nn.Module]) -> StackedMLP:
    """Their parameters in one stack."""
    layers = zip(*([layer for layer in net if isinstance(layer, nn.Linear)] for net in members), strict=True)
    blocks = [Block([layer.weight for layer in depth], [layer.bias for layer in depth]) for depth in layers]
    return StackedMLP(blocks, len(members), activation)
