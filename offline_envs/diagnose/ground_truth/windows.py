"""`Windows`: real steps from chosen states, recorded or simulated."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.simulator import Simulator


@dataclass(frozen=True)
class Windows:
    """Up to `h` real steps from each of `n` states; entries after an episode's end are padding.

    Attributes:
        obs: Observations, float32 `(n, h + 1, d)`, the first of which is the start.
        actions: Actions, float32 `(n, h, k)`.
        rewards: Rewards, float32 `(n, h)`.
        lengths: Number of steps before the padding, int64 `(n,)`.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.obs)

    @property
    def present(self) -> Tensor:
        """Mask of the steps that are not padding, bool `(n, h)`."""
        return torch.arange(self.actions.shape[1]) < self.lengths[:, None]


def recorded_windows(transitions: Transitions, rows: Tensor, horizon: int) -> Windows:
    """Read up to `horizon` recorded steps from `rows`, int64 `(n,)`; each window ends with its episode."""
    ends = transitions.episode_starts + transitions.episode_lengths
    last = ends[torch.searchsorted(transitions.episode_starts, rows, right=True) - 1]
    index = torch.minimum(rows[:, None] + torch.arange(horizon), last[:, None] - 1)
    obs = torch.cat([transitions.obs[rows][:, None], transitions.next_obs[index]], dim=1)
    return Windows(
        obs, transitions.actions[index], transitions.rewards[index], (last - rows).clamp(max=horizon)
    )


def simulated_windows(
    simulator: Simulator,
    starts: Tensor,
    choose: Callable[[int, int, NDArray[np.float32]], NDArray[np.float32]],
    lengths: Tensor,
    horizon: int,
) -> Windows:
    """Run the simulator from given observations.

    Args:
        simulator: The real environment.
        starts: Observations that determine the state, `(n, d)`.
        choose: Maps the number of the start, the number of the step and the observation to an action `(k,)`.
        lengths: Maximum steps from each start, int64 `(n,)`.
        horizon: Length of the padded result, h.
    """
    n, k = len(starts), simulator.env.action_space.shape[0]
    obs, actions = torch.zeros(n, horizon + 1, starts.shape[1]), torch.zeros(n, horizon, k)
    rewards, taken = torch.zeros(n, horizon), torch.zeros(n, dtype=torch.int64)
    for i, start in enumerate(starts.numpy()):
        found = simulator.episode(start, lambda t, o, i=i: choose(i, t, o), int(lengths[i]))  # type: ignore[misc]
        size = len(found[2])
        obs[i, : size + 1], actions[i, :size], rewards[i, :size] = map(torch.from_numpy, found)
        taken[i] = size
    return Windows(obs, actions, rewards, taken)
