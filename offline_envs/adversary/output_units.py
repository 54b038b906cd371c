"""`OutputUnits`: steps of Adam on raw outputs, as large as those of the fit on standardised ones."""

import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics


class OutputUnits:
    """Takes an optimiser's steps in deviations of each output, as the fit does.

    A step of Adam is about as large as its learning rate, whatever the gradient. For an output that deviates
    by 0.01 in raw units it would be a hundred times too large, and a decay of weights would be too weak
    against the data by the square of that factor. A fit with standardised targets returns heads in raw
    units, so each step is taken in those of the fit: the result is Adam, with its decay, on the heads before
    that.

    Args:
        ensemble: The ensemble that is changed.
        scale: Deviation of each output, `(1 + d,)`; ones for a fit to raw targets.
    """

    def __init__(self, ensemble: EnsembleDynamics, scale: Tensor) -> None:
        self._is_raw = bool((scale == 1).all())
        head = ensemble.heads[0]  # the means, perhaps with log-variances behind them
        self._weights = [head.get_parameter(name) for name in ("weight", "bias")]
        self._scale = torch.ones(self._weights[0].shape[-1], device=scale.device)
        self._scale[: len(scale)] = scale

    @torch.no_grad()
    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take a step of `optimizer`, whose parameters include those of the ensemble.

        Gradients of the heads, and the optimiser's moments, are in the units of the fit afterwards.
        """
        if self._is_raw:
            optimizer.step()
            return
        before = [weight.clone() for weight in self._weights]
        for weight in self._weights:
            weight.div_(self._scale)
            if weight.grad is not None:
                weight.grad.mul_(self._scale)
        optimizer.step()
        for weight, old in zip(self._weights, before, strict=True):
            weight.sub_(old / self._scale).mul_(self._scale).add_(old)
