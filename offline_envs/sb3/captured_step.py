"""`CapturedStep`: a gradient step on a CUDA device, replayed as one graph."""

import warnings
from typing import Protocol

import torch

from offline_envs.sb3.sac_step import SACBatch, SACLosses

WARM_UP_STEPS = 3
"""Steps before a capture, in which libraries allocate what they keep; PyTorch's notes advise as many."""


class Step(Protocol):
    """A gradient step whose tensors stay where they are."""

    def __call__(self, batch: SACBatch) -> SACLosses:
        """Take the step."""


class CapturedStep:
    """The same step with its hundred kernels launched at once, which is what a GPU otherwise waits for.

    The first steps are taken as they are. If the capture fails, a warning says why and all others are, too.

    Args:
        step: The step; it may not wait for the device, and its settings may not change.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._shapes: list[torch.Size] = []
        self._n_taken = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._failed = False

    def __call__(self, batch: SACBatch) -> SACLosses:
        """Take the step; the losses are overwritten by the next."""
        shapes = [part.shape for part in batch]
        if shapes != self._shapes:
            self._shapes, self._n_taken, self._graph = shapes, 0, None
        if self._graph is None and not self._failed and self._n_taken >= WARM_UP_STEPS:
            self._capture(batch)
        self._n_taken += 1
        if self._graph is None:
            return self._aside(batch)
        for place, part in zip(self._batch, batch, strict=True):
            place.copy_(part)
        self._graph.replay()
        return self._losses

    def _aside(self, batch: SACBatch) -> SACLosses:
        """Take the step on a stream of its own, as steps before a capture have to be."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = self._step(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def _capture(self, batch: SACBatch) -> None:
        self._batch = SACBatch(*(part.clone() for part in batch))
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._losses = self._step(self._batch)
        except RuntimeError as error:
            self._failed = True
            warnings.warn(
                f"No CUDA graph of FastSAC's gradient step, which is slower so: {error}", stacklevel=2
            )
            return
        self._graph = graph
