"""`Replay`: columns that follow the recorded series of the dataset's episode that a row started from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions


@dataclass(frozen=True)
class Replay:
    """Recorded series, such as prices, that no action changes.

    An imagined episode that starts from row t of the dataset sees their values of rows t + 1, t + 2, …; where
    the recorded episode ends, so does the knowledge: the imagined one is truncated.

    Attributes:
        columns: Observation dimensions that are replayed, c of them.
        index: The same, int64 `(c,)`, on the device.
        series: Values that follow each row of the dataset, float32 `(n, c)`.
        last: Whether a row is the last of its episode, bool `(n,)`.
    """

    columns: tuple[int, ...]
    index: Tensor
    series: Tensor
    last: Tensor

    @classmethod
    def of(cls, transitions: Transitions, columns: Sequence[int], *, device: str | torch.device) -> Self:
        """Take the series from a dataset."""
        last = torch.zeros(len(transitions), dtype=torch.bool)
        last[transitions.episode_starts[1:] - 1] = True
        last[-1] = True
        index = torch.tensor(columns, dtype=torch.int64)
        series = transitions.next_obs[:, index]
        return cls(tuple(columns), index.to(device), series.to(device), last.to(device))

    def values(self, rows: Tensor) -> Tensor:
        """What follows the dataset's rows `rows`, int64 `(B,)`: `(B, c)`."""
        return self.series.index_select(0, rows)

    def ended(self, rows: Tensor) -> Tensor:
        """Whether nothing is recorded beyond that, bool `(B,)`."""
        return self.last.index_select(0, rows)

    def following(self, rows: Tensor) -> Tensor:
        """The rows after a step; the last of an episode stays, as its episode is over."""
        return rows + (~self.ended(rows)).long()
