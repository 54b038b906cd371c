"""`UniformPolicy`: actions drawn uniformly, whatever the observation."""

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.policies.policy import TensorPolicy


class UniformPolicy(TensorPolicy):
    """Draws every action uniformly from a bounded box.

    Args:
        space: The actions.
        generator: Source of randomness, on the device of the observations.

    Raises:
        SettingsError: The box is not bounded.
    """

    def __init__(self, space: Box, generator: torch.Generator) -> None:
        if not space.is_bounded():
            raise SettingsError(f"Uniform actions need a bounded Box, got {space}.")
        self.device = generator.device
        self._generator = generator
        self._low, self._high = (
            torch.as_tensor(bound, dtype=torch.float32, device=generator.device)
            for bound in (space.low, space.high)
        )

    def __call__(self, obs: Tensor, /) -> Tensor:
        """Actions `(n, k)`, whatever the observations."""
        shape = (len(obs), len(self._low))
        share = torch.rand(shape, generator=self._generator, device=self.device)
        return self._low + share * (self._high - self._low)
