"""Learned MDPs so simple that the return of every plan can be worked out."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.dynamics import DynamicsModel, FunctionModel
from offline_envs.mdp import Guard, LearnedMDP, Members
from offline_envs.tasks import TerminationRule, never

SPACE = Box(-1.0, 1.0, (1,))
FAR = Guard(torch.full((2,), -1e6), torch.full((2,), 1e6), torch.tensor(-5.0))
"""Nothing of one dimension explodes but what is not finite, and that is worth −5."""


def line(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """A point on a line: s' = s + a, r = −s'²."""
    after = obs + action
    return after, -(after[:, 0] ** 2)


def members_apart(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Three members that move by a, 2a and 4a; r = s + a."""
    after = torch.stack([obs + factor * action for factor in (1.0, 2.0, 4.0)])
    return after, obs[:, 0] + action[:, 0]


def world(
    function: Callable[..., Any] = line,
    *,
    model: DynamicsModel | None = None,
    termination: TerminationRule = never,
    **parts: Any,
) -> LearnedMDP:
    """A learned MDP of one observation and one action dimension."""
    made = model or FunctionModel(function, 1, 1)
    return LearnedMDP(
        **{"members": Members.of(made, "all"), "termination": termination, "guard": FAR, **parts}
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
