"""A dataset and a model whose steps are Gaussians that are known, so that the best discriminator is too."""

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import Transitions
from tests.dynamics.own_model import LinearModel

SHIFT, STD = 0.5, 0.5
"""Recorded steps move by `SHIFT` more than the model's, both with deviation `STD`."""


def recorded(n: int = 4000, *, seed: int = 0) -> Transitions:
    """Steps from obs in N(0, 1): next_obs = obs + action + `SHIFT` + noise."""
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(n, 1, generator=generator)
    actions = torch.rand(n, 1, generator=generator) * 2 - 1
    noise = STD * torch.randn(n, 1, generator=generator)
    return Transitions(
        obs=obs,
        actions=actions,
        rewards=torch.zeros(n),
        next_obs=obs + actions + SHIFT + noise,
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=Box(-1, 1, (1,)),
        source="gaussians",
    )


def shifted_model() -> LinearModel:
    """One member: reward 0, next_obs = obs + action + noise."""
    return LinearModel(torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 1, STD)


def log_ratio(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Logarithm of the ratio of densities, `(B,)`: (x − SHIFT/2)·SHIFT / STD², x the error."""
    x = (next_obs - obs - action)[:, 0]
    return (x - SHIFT / 2) * SHIFT / STD**2
