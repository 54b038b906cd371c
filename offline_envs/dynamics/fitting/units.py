"""`Units`: how a step in standardised units moves an observation in standardised units of its own."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.prediction import DELTA


class Units(NamedTuple):
    """Deviations of steps, σ, and of observations, s, around their means, and what follows from both.

    Attributes:
        factor: σ/s of each column of the observation, `(d,)`.
        shift: Mean step over s, `(d,)`.
    """

    factor: Tensor
    shift: Tensor

    @classmethod
    def of(cls, normalizer: Normalizer, scaler: Normalizer, device: torch.device) -> Self:
        """Units of inputs standardised by `normalizer` and of targets standardised by `scaler`."""
        std = normalizer.std[: len(scaler.mean) - 1].to(device)
        return cls(scaler.std[DELTA].to(device) / std, scaler.mean[DELTA].to(device) / std)

    def after(self, obs: Tensor, step: Tensor) -> Tensor:
        """The observation after a step, `(..., d)` each."""
        return obs + step * self.factor + self.shift
