"""`DynamicsReward`: how consistent a step is with the dynamics that a dataset was recorded in."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.consistency.calibration import calibrated, reward_of_logits
from offline_envs.consistency.network import Discriminators

CPU_CHUNK = 1024
"""Rows that a CPU computes together, few enough to stay near its cache."""

GPU_CHUNK = 65_536
"""Rows computed together elsewhere, few enough to bound the memory of K networks."""


@dataclass(frozen=True, eq=False)
class DynamicsReward:
    """r(s, a, s′) = −log(1 − mean_k D_k(s, a, s′)), Luo et al. 2024 (MOREC), section 4.

    It is large where discriminators take a step for a recorded one, and small where they take it for a
    sample of the model. D_k comes from a calibrated logit, see `calibrated`.

    Attributes:
        discriminators: The K discriminators.
        of_model: Mean logit of each on steps of the model, `(K,)`.
        of_data: The same on recorded steps, `(K,)`.
    """

    discriminators: Discriminators
    of_model: Tensor
    of_data: Tensor

    @property
    def device(self) -> torch.device:
        """Device of the computation."""
        return self.of_model.device

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Compute the dynamics reward of steps, without gradients.

        Rows are computed in chunks of fixed size, so the working memory does not grow with their number.

        Args:
            obs: Observations, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.
            next_obs: Successor observations, float32 `(B, d)`.

        Returns:
            One number a step, float32 `(B,)`, between `LOWEST` and `HIGHEST`; NaN where an input is.
        """
        size = CPU_CHUNK if obs.device.type == "cpu" else GPU_CHUNK
        chunks = zip(*(torch.split(part, size) for part in (obs, action, next_obs)), strict=True)
        return torch.cat([self._of_chunk(*chunk) for chunk in chunks])

    def _of_chunk(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        logits = self.discriminators.logits(obs, action, next_obs)
        return reward_of_logits(calibrated(logits, self.of_model, self.of_data))

    def to(self, device: torch.device | str) -> "DynamicsReward":
        """The same reward, computed on a device."""
        on_device = self.discriminators.to(device)
        return DynamicsReward(on_device, self.of_model.to(device), self.of_data.to(device))
