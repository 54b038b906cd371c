"""`Windows`: what really follows from chosen states, step by step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.diagnose.simulator import Simulator


@dataclass(frozen=True)
class Windows:
    """Up to `h` real steps from each of `n` states; what lies behind an episode's end has no meaning.

    Attributes:
        obs: Observations, float32 `(n, h + 1, d)`, the first of which is the start.
        actions: Actions, float32 `(n, h, k)`.
        rewards: Rewards, float32 `(n, h)`.
        lengths: Steps that there are, int64 `(n,)`.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.obs)

    @property
    def present(self) -> Tensor:
        """Which steps there are, bool `(n, h)`."""
        return torch.arange(self.actions.shape[1]) < self.lengths[:, None]


def recorded_windows(transitions: Transitions, rows: Tensor, horizon: int) -> Windows:
    """Read what the dataset recorded from `rows`, int64 `(n,)`, to the end of each episode at most."""
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
    """Let the simulator go on from observations.

    Args:
        simulator: The real environment.
        starts: Observations that determine the state, `(n, d)`.
        choose: From the number of the start, the number of the step and the observation to an action `(k,)`.
        lengths: Steps to take from each start at most, int64 `(n,)`.
        horizon: Steps that the result has room for, h.
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
