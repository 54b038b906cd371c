"""The rows that each member is trained on, and their order in each epoch."""

import torch
from torch import Tensor

from offline_envs.dynamics.fitting.rows import generator_for

_DRAW, _SHUFFLE = 1, 2


class Bootstrap:
    """Row numbers for every member, drawn with replacement once and shuffled every epoch.

    Only numbers are kept, 4 bytes a member and row. The order of an epoch depends only on seed and epoch,
    so a resumed fit sees the rows that an uninterrupted one would have seen.

    Args:
        n_members: Number of members, N.
        n_rows: Number of training rows.
        seed: Seed of draws and orders.
        replace: Whether each member draws with replacement; otherwise every member sees every row.
        device: Device of the orders.
    """

    def __init__(
        self,
        n_members: int,
        n_rows: int,
        *,
        seed: int,
        replace: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        self.seed, self.device = seed, device
        if replace:
            generator = generator_for(seed, _DRAW)
            shape = (n_members, n_rows)
            self.drawn = torch.randint(n_rows, shape, generator=generator, dtype=torch.int32)
        else:
            self.drawn = torch.arange(n_rows, dtype=torch.int32).repeat(n_members, 1)

    def order(self, epoch: int) -> Tensor:
        """Rows of every member in the order of `epoch`, int32 `(N, n_rows)`."""
        generator = generator_for(self.seed, _SHUFFLE, epoch)
        shuffled = torch.empty_like(self.drawn)
        for row, drawn in zip(shuffled, self.drawn, strict=True):
            torch.index_select(drawn, 0, torch.randperm(len(drawn), generator=generator), out=row)
        return shuffled.to(self.device)
