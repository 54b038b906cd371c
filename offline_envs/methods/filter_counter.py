"""`FilterCounter`: counts episodes that a filter of steps ends, and warns once if hardly a step passes."""

import torch
from torch import Tensor

from offline_envs.mdp import Step
from offline_envs.methods.halt_counter import TruncationCounter

DYNAMICS_REWARD = "dynamics_reward"
"""Info: how consistent the step is with the recorded dynamics, see `DynamicsReward`."""


class FilterCounter(TruncationCounter):
    """Counts episodes that end because of their dynamics reward.

    Args:
        n: Number of rows.
        device: Where their flags are.
        least: Dynamics reward below which an episode ends.
    """

    ended = "ended by the filter"
    setting = "min_dynamics_reward, or draw more candidates (n_samples)"

    def __init__(self, n: int, device: torch.device, least: float) -> None:
        super().__init__(n, device)
        self._least = least

    def count(self, step: Step, ended: Tensor) -> None:
        """See `Monitor`."""
        self.add((step.extras[DYNAMICS_REWARD] < self._least) & ~step.exploded, ended)

    def _verdict(self, begun: int) -> tuple[str, str] | None:
        return None if super()._verdict(begun) is None else ("hardly a step looks recorded", "Lower")
