"""What is known of observations with a history: how the past moves, and what reads the newest part alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.data import HistoryLayout, Transitions
from offline_envs.mdp.known.known import Part, StepFunction


@dataclass(frozen=True)
class OfNewest:
    """A function of (obs, action, next_obs) that is given the newest observations of histories.

    Rewards, termination rules and known columns are about observations as they were recorded.

    Attributes:
        function: The function.
        obs_dim: Dimensions of one observation, d.
    """

    function: StepFunction
    obs_dim: int

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """What the function returns for `(B, d)`, `(B, k)` and `(B, d)`."""
        found: Tensor = self.function(obs[:, : self.obs_dim], action, next_obs[:, : self.obs_dim])
        return found


def of_newest(function: StepFunction, transitions: Transitions) -> StepFunction:
    """A function of recorded observations, as one of those of a dataset, which may have a history."""
    return function if transitions.history == 1 else OfNewest(function, transitions.layout.obs_dim)


@dataclass(frozen=True)
class MovedPast:
    """The older entries of the next observation: the action taken, then what the observation held.

    Attributes:
        layout: Where an observation holds what.
    """

    layout: HistoryLayout

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Values of the columns `layout.older`, `(B, layout.older_dim)`, copied."""
        del next_obs  # Unused.
        return self.layout.moved(obs, action)


def moved_past(transitions: Transitions, *, device: str | torch.device) -> tuple[Part, ...]:
    """The known columns of a dataset's history; none without one."""
    if transitions.history == 1:
        return ()
    layout = transitions.layout
    columns = tuple(range(layout.obs_dim, layout.size))
    return (Part(columns, torch.tensor(columns, device=device), MovedPast(layout)),)
