"""`CapturedStep`: a gradient step on a CUDA device, replayed as one graph."""

from typing import Protocol

from torch import Tensor

from offline_envs.kernels import CapturedCall
from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACLosses


class Step(Protocol):
    """A gradient step whose tensors stay where they are."""

    def __call__(self, batch: SACBatch) -> SACLosses:
        """Take the step."""


class CapturedStep:
    """The same step as a `CapturedCall`; its settings may not change.

    Args:
        step: The step; it may not wait for the device.
    """

    def __init__(self, step: Step) -> None:
        def take(*parts: Tensor) -> SACLosses:
            return step(SACBatch(*parts))

        self.call = CapturedCall(take, name="FastSAC's gradient step")

    def __call__(self, batch: SACBatch) -> SACLosses:
        """Take the step; the losses are overwritten by the next."""
        return self.call(*batch)
