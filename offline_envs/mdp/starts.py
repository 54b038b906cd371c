"""`StartStates`: where imagined episodes begin."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Self

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.mdp.inputs import as_numbers
from offline_envs.registry import Registry

STARTS: Registry[Callable[[Transitions], Tensor]] = Registry(
    "start", {"dataset": attrgetter("obs"), "initial": attrgetter("initial_obs")}
)
"""Which observations of a dataset episodes start from, `(m, d)`, by the names that `start` takes."""


@dataclass(frozen=True)
class StartStates:
    """Observations that episodes start from, drawn uniformly.

    Attributes:
        obs: The candidates, float32 `(m, d)`.
    """

    obs: Tensor

    @classmethod
    def from_transitions(cls, transitions: Transitions, start: str, *, device: str | torch.device) -> Self:
        """Take the candidates from a dataset.

        Args:
            transitions: The dataset.
            start: A name in `STARTS`: `"dataset"` for every observation in it (branched rollouts, Janner et
                al. 2019) or `"initial"` for the first of each episode.
            device: Where to keep them.

        Raises:
            SettingsError: Another value of `start`.
        """
        return cls(STARTS.find(start)(transitions).to(device))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw `n` observations with replacement, `(n, d)`."""
        index = torch.randint(len(self.obs), (n,), generator=generator, device=self.obs.device)
        return self.obs[index]

    def given(self, obs: Any, shape: tuple[int, ...]) -> Tensor:
        """The observations that a caller asked to start from, as a new tensor.

        Raises:
            SettingsError: No numbers, another shape than `shape`, or a value that is not finite.
        """
        tensor = as_numbers("options['obs']", obs, shape).to(self.obs.device, copy=True)
        if not bool(tensor.isfinite().all()):
            raise SettingsError("options['obs'] must be finite, got NaN or infinity.")
        return tensor
