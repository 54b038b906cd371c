"""Spectral normalisation of member layers: the largest singular value of every member's weight is fixed.

The paper of MOPO (Yu et al. 2020) describes it for all layers but the variance head, with a value of 1; its
release omits it. The estimate is that of Miyato et al. 2018: one power iteration a gradient step.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics

INITIAL_ITERATIONS = 20
"""Power iterations before the first step; later ones start where the last one ended."""

REFINING_ITERATIONS = 100
"""Power iterations at the end of an epoch, before members are scored."""


class MemberSpectralNorm(nn.Module):
    """Parametrisation that scales each member's weight to a given largest singular value.

    Args:
        weight: Initial weight, `(N, n_inputs, n_outputs)`.
        bound: The largest singular value.
        generator: Source of the vector that the power iteration starts from.
    """

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor, bound: float = 1.0, *, generator: torch.Generator) -> None:
        super().__init__()
        self.bound = bound
        start = torch.randn(weight.shape[0], weight.shape[2], 1, generator=generator, dtype=weight.dtype)
        self.register_buffer("right", functional.normalize(start, dim=1).to(weight.device))
        self.register_buffer("left", torch.zeros_like(weight[:, :, :1]))
        self.iterate(weight.detach(), INITIAL_ITERATIONS)

    @torch.no_grad()
    def iterate(self, weight: Tensor, n_times: int = 1) -> None:
        """Move the singular vectors closer to those of `weight`, `(N, n_inputs, n_outputs)`."""
        for _ in range(n_times):
            self.left = functional.normalize(weight @ self.right, dim=1)
            self.right = functional.normalize(weight.mT @ self.left, dim=1)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with its largest singular value at the bound; training updates the estimate first."""
        if self.training:
            self.iterate(weight)
        return self.bound * weight / (self.left.mT @ weight @ self.right)


def _normalised_layers(ensemble: EnsembleDynamics) -> Iterator[nn.Module]:
    yield from ensemble.trunk
    yield ensemble.heads[0]  # The mean; the log-variance head, if any, is the second.


def add_spectral_norm(ensemble: EnsembleDynamics, *, generator: torch.Generator) -> None:
    """Add spectral normalisation to trunk and mean head of `ensemble`, in place."""
    bound = ensemble.settings.spectral_bound
    for layer in _normalised_layers(ensemble):
        norm = MemberSpectralNorm(layer.get_parameter("weight"), bound, generator=generator)
        # Gradient and estimate use the same value of the weight, so the check would only cost an iteration.
        parametrize.register_parametrization(layer, "weight", norm, unsafe=True)


def refine_spectral_norm(ensemble: EnsembleDynamics) -> None:
    """Bring the estimates, which lag behind the weights in training, close to the truth, in place."""
    for layer in _normalised_layers(ensemble):
        for module in layer.modules():
            if isinstance(module, MemberSpectralNorm):
                original = layer.get_parameter("parametrizations.weight.original")
                module.iterate(original, REFINING_ITERATIONS)


def bake_spectral_norm(ensemble: EnsembleDynamics) -> None:
    """Turn the normalised weights into plain weights, in place."""
    ensemble.eval()
    for layer in _normalised_layers(ensemble):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
