"""`StartStates`: where imagined episodes begin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
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

ROWS: Mapping[str, Callable[[Transitions], Tensor]] = MappingProxyType(
    {"dataset": lambda transitions: torch.arange(len(transitions)), "initial": attrgetter("episode_starts")}
)
"""Which rows of the dataset these observations are, int64 `(m,)`."""


@dataclass(frozen=True)
class StartStates:
    """Observations that episodes start from, drawn uniformly.

    Attributes:
        obs: The candidates, float32 `(m, d)`.
        rows: Row of the dataset of each, int64 `(m,)`; None where nobody asked, or where they have none.
    """

    obs: Tensor
    rows: Tensor | None = None

    @classmethod
    def from_transitions(
        cls, transitions: Transitions, start: str, *, device: str | torch.device, with_rows: bool = False
    ) -> Self:
        """Take the candidates from a dataset.

        Args:
            transitions: The dataset.
            start: A name in `STARTS`: `"dataset"` for every observation in it (branched rollouts, Janner et
                al. 2019) or `"initial"` for the first of each episode.
            device: Where to keep them.
            with_rows: Whether to keep which rows of the dataset they are.

        Raises:
            SettingsError: Another value of `start`, or one whose rows are not known.
        """
        obs = STARTS.find(start)(transitions).to(device)
        if not with_rows:
            return cls(obs)
        if start not in ROWS:
            raise SettingsError(
                f"Replayed columns need start={' or '.join(map(repr, ROWS))}, whose rows of the dataset are "
                f"known, got {start!r}."
            )
        return cls(obs, ROWS[start](transitions).to(device))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw `n` observations with replacement, `(n, d)`."""
        return self.obs[self.draw_index(n, generator)]

    def draw_index(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw the numbers of `n` candidates with replacement, int64 `(n,)`."""
        return torch.randint(len(self.obs), (n,), generator=generator, device=self.obs.device)

    def rows_of(self, index: Tensor) -> Tensor | None:
        """Rows of the dataset of some candidates, int64 `(n,)`, or None if they are not kept."""
        return None if self.rows is None else self.rows[index]

    def given(self, obs: Any, shape: tuple[int, ...], mask: Tensor | None = None) -> Tensor:
        """The observations that a caller asked to start from, as a new tensor.

        Args:
            obs: The observations.
            shape: Their shape, `(d,)` or `(n, d)`.
            mask: Rows that are used, bool `(n,)`; None for all.

        Raises:
            SettingsError: No numbers, another shape than `shape`, or a value that is not finite.
        """
        tensor = as_numbers("options['obs']", obs, shape).to(self.obs.device, copy=True)
        if not bool((tensor if mask is None else tensor[mask]).isfinite().all()):
            raise SettingsError("options['obs'] must be finite, got NaN or infinity.")
        return tensor
