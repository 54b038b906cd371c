"""`GradientStep`: a step of Adam on the loss of all members."""

import torch
from torch import Tensor

from offline_envs.dynamics.fitting.fit_state import FitState
from offline_envs.dynamics.fitting.losses import bound_penalty, data_loss
from offline_envs.dynamics.fitting.rows import Rows
from offline_envs.kernels import HIDDEN_DTYPES, CapturedCall, products_of


class GradientStep:
    """One step on one batch; on a CUDA device its hundred kernels are replayed as a graph.

    Batches that are not full, such as an epoch's last, run eagerly: a graph has one shape. So do all batches
    with spectral norm, whose estimates are new tensors at each step.

    Args:
        state: The fit, whose ensemble and optimizer the step changes in place.
        rows: Source of the batches.
    """

    def __init__(self, state: FitState, rows: Rows) -> None:
        self._ensemble, self._optimizer, self._rows = state.ensemble, state.optimizer, rows
        self._bound_weight = state.fit_settings.bound_weight
        self._precision = state.fit_settings.precision
        self._full = state.fit_settings.batch_size
        captures = rows.train.device.type == "cuda" and not state.ensemble.settings.spectral_norm
        self._take_full = CapturedCall(self._take, name="the fit's gradient step") if captures else self._take

    def __call__(self, index: Tensor) -> Tensor:
        """Take the step on training rows `index`, int `(N, B)`.

        Returns:
            The loss on the data, summed over members, a scalar that the next step may overwrite.
        """
        return self._take_full(index) if index.shape[1] == self._full else self._take(index)

    @torch.enable_grad()  # captured calls are made without gradients
    def _take(self, index: Tensor) -> Tensor:
        inputs, targets = self._rows.batch(index)
        self._optimizer.zero_grad()
        with products_of(self._precision):
            mean, logvar = self._ensemble(inputs, dtype=HIDDEN_DTYPES[self._precision])
            loss = data_loss(mean, logvar, targets).sum()
            torch.autograd.backward(loss + bound_penalty(self._ensemble.bounds, self._bound_weight))
        self._optimizer.step()
        return loss.detach()
