"""`GradientStep`: a step of Adam on the loss of all members."""

from collections.abc import Sequence

import torch
from torch import Tensor

from offline_envs.dynamics.fitting.fit_state import FitState
from offline_envs.dynamics.fitting.losses import bound_penalty, data_loss
from offline_envs.dynamics.fitting.multi_step import MultiStep
from offline_envs.dynamics.fitting.rows import Rows
from offline_envs.kernels import HIDDEN_DTYPES, CapturedCall, products_of


class GradientStep:
    """One step on one batch; on a CUDA device its hundred kernels are replayed as a graph.

    Batches that are not full, such as an epoch's last, run eagerly: a graph has one shape. So do all batches
    with spectral norm, whose estimates are new tensors at each step, and with values, which take steps too.

    Args:
        state: The fit, whose ensemble and optimizer the step changes in place.
        rows: Source of the batches.
        windows: Source of the loss over several steps; None means a single one.
    """

    def __init__(self, state: FitState, rows: Rows, windows: MultiStep | None = None) -> None:
        self._ensemble, self._optimizer, self._rows = state.ensemble, state.optimizer, rows
        self._windows = windows
        self._bound_weight = state.fit_settings.bound_weight
        self._precision = state.fit_settings.precision
        self._full = state.fit_settings.batch_size
        self._values = state.values
        eager = state.ensemble.settings.spectral_norm or state.values is not None
        captures = rows.train.device.type == "cuda" and not eager
        self._take_full = CapturedCall(self._take, name="the fit's gradient step") if captures else self._take

    def __call__(self, index: Tensor, *, step: int = 0, n_steps: int | None = None) -> Tensor:
        """Take the step on training rows `index`, int `(N, B)`, or on the windows that begin there.

        Args:
            index: The rows.
            step: Number of gradient steps already taken.
            n_steps: Number of gradient steps of the whole fit, or None.

        Returns:
            The loss on the data, summed over members, a scalar that the next step may overwrite.
        """
        drawn: Sequence[Tensor] = ()
        if self._windows:
            drawn = self._windows.draw(index, step, n_steps)
        elif self._values:
            drawn = (self._values.draw(index, step),)
        take = self._take_full if index.shape[1] == self._full else self._take
        return take(index, *drawn)

    @torch.enable_grad()  # captured calls are made without gradients
    def _take(self, index: Tensor, *drawn: Tensor) -> Tensor:
        self._optimizer.zero_grad()
        with products_of(self._precision):
            loss, more = self._losses(index, *drawn)
            torch.autograd.backward(loss + more + bound_penalty(self._ensemble.bounds, self._bound_weight))
        self._optimizer.step()
        return loss.detach()

    def _losses(self, index: Tensor, *drawn: Tensor) -> tuple[Tensor, Tensor | float]:
        """Loss on the data, and the term of the values, summed over members."""
        if self._windows:
            return self._windows.loss(self._ensemble, index, *drawn).sum(), 0.0
        inputs, targets = self._rows.batch(index)
        mean, logvar = self._ensemble(inputs, dtype=HIDDEN_DTYPES[self._precision])
        loss = data_loss(mean, logvar, targets).sum()
        if self._values is None:
            return loss, 0.0
        assert logvar is not None  # checked by `fit`
        return loss, self._values.term(index, inputs, targets, mean, logvar, *drawn).sum()
