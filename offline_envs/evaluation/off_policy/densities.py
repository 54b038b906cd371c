"""`ActionDensity`: densities of actions, and the log-ratio of two of them on recorded steps."""

from typing import Protocol

import torch
from torch import Tensor

from offline_envs.data import Transitions

CHUNK = 10_000
"""Rows whose density is computed together, which bounds the memory."""


class ActionDensity(Protocol):
    """A policy whose density is known."""

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        """Log-density of actions, per unit of the environment's actions.

        Args:
            obs: Observations, float32 `(B, d)`.
            action: Actions in the environment's units, float32 `(B, k)`.

        Returns:
            `(B,)`.
        """


def log_prob_of_steps(density: ActionDensity, transitions: Transitions) -> Tensor:
    """Log-density of every recorded action, float64 `(n,)`."""
    chunks = zip(torch.split(transitions.obs, CHUNK), torch.split(transitions.actions, CHUNK), strict=True)
    with torch.no_grad():
        return torch.cat([density.log_prob(obs, action).double() for obs, action in chunks])


def log_ratios(policy: ActionDensity, behaviour: ActionDensity, transitions: Transitions) -> Tensor:
    """The log-ratio log π(a|s) − log μ(a|s) of every recorded step, float64 `(n,)`."""
    return log_prob_of_steps(policy, transitions) - log_prob_of_steps(behaviour, transitions)
