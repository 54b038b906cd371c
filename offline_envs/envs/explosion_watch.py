"""`ExplosionWatch`: warns once if many imagined steps are rejected because their prediction exploded."""

import warnings

import torch
from torch import Tensor

MANY = 0.005
"""Share of rejected steps from which a model is probably unusable."""

FEWEST = 20
"""Rejected steps below which nothing is said: single rows diverge in usable models too."""

FIRST, SPARSE = 8, 128
"""The first look, and the steps between two looks once there were as many; between, each power of two."""


class ExplosionWatch:
    """Looks at the count of rejected predictions now and then, as a look waits for a GPU.

    Args:
        n: Rows that each step advances.
    """

    def __init__(self, n: int) -> None:
        self._n, self._steps, self._warned = n, 0, False

    def state(self) -> Tensor:
        """Steps so far, and whether something was said, int64 `(2,)`; `resume` takes it."""
        return torch.tensor([self._steps, self._warned])

    def resume(self, state: Tensor | None) -> None:
        """Count on from a state, or say nothing more where it is unknown how many steps there were."""
        steps, warned = (0, True) if state is None else state.tolist()
        self._steps, self._warned = steps, bool(warned)

    def look(self, total: Tensor) -> None:
        """Judge the number of rejected predictions so far; called after every step.

        Args:
            total: That number, an int64 scalar on any device.

        Warns:
            UserWarning: Once, if they are more than `MANY` of all.
        """
        self._steps += 1
        if self._warned or not self._is_due():
            return
        n_exploded, n_steps = int(total), self._n * self._steps
        if n_exploded < FEWEST or n_exploded < MANY * n_steps:
            return
        self._warned = True
        warnings.warn(
            f"{n_exploded} of {n_steps} imagined steps left the data by more than ten of their ranges. Each "
            "ended its episode with the dataset's lowest reward, which an agent learns from. Shorten the "
            "horizon (max_episode_steps), or fit the model better: `offline-envs diagnose` shows where it is "
            "wrong, and nearly constant columns or extreme values in the data are frequent causes.",
            stacklevel=3,
        )

    def _is_due(self) -> bool:
        if self._steps > SPARSE:
            return self._steps % SPARSE == 0
        return self._steps >= FIRST and self._steps.bit_count() == 1
