"""`UniformPolicy` and `UniformChoices`: actions drawn uniformly, whatever the observation."""

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import DiscreteSpace, from_one_hot, one_hot, one_hot_box
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


class UniformChoices(TensorPolicy):
    """Draws every discrete action with equal probability.

    Args:
        space: The actions.
        generator: Source of randomness, on the device of the observations.
    """

    def __init__(self, space: DiscreteSpace, generator: torch.Generator) -> None:
        self.device = generator.device
        self._space, self._generator = space, generator

    def __call__(self, obs: Tensor, /) -> Tensor:
        """Actions as one-hot numbers, float32 `(n, k)`, whatever the observations."""
        shape = (len(obs), *one_hot_box(self._space).shape)
        # The largest of equally distributed numbers is any of them with equal probability.
        numbers = torch.rand(shape, generator=self._generator, device=self.device)
        return one_hot(self._space, from_one_hot(self._space, numbers))

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """Draw an action for one observation `(d,)`, or for each of a batch `(n, d)`."""
        del state, episode_start, deterministic  # Unused.
        obs = torch.as_tensor(np.asarray(observation), dtype=torch.float32, device=self.device)
        drawn = from_one_hot(self._space, self(obs if obs.ndim > 1 else obs[None])).cpu().numpy()
        return (drawn if obs.ndim > 1 else drawn[0]), None


def uniform(space: Box | DiscreteSpace, generator: torch.Generator) -> UniformPolicy | UniformChoices:
    """Uniform actions of either kind.

    Args:
        space: The actions.
        generator: Source of randomness, on the device of the observations.

    Raises:
        SettingsError: An unbounded box.
    """
    if isinstance(space, Box):
        return UniformPolicy(space, generator)
    return UniformChoices(space, generator)
