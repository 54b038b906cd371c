"""A linear-Gaussian dataset: its best prediction and its noise are known."""

import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings

NOISE = (0.2, 0.1, 0.3)
"""Standard deviations of reward and the two observations."""

TINY = EnsembleSettings(n_members=3, n_elites=2, hidden=(16, 16))
QUICK = FitSettings(max_epochs=3, batch_size=64)


def linear_transitions(n: int = 400, *, seed: int = 0) -> Transitions:
    """Δobs₀ = action, Δobs₁ = −obs₁/2, reward = obs₀, each plus `NOISE`; terminal where next_obs₀ > 1.5."""
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(n, 2, generator=generator)
    actions = torch.rand(n, 1, generator=generator) * 2 - 1
    noise = torch.randn(n, 3, generator=generator) * torch.tensor(NOISE)
    delta = torch.stack([actions[:, 0], -obs[:, 1] / 2], dim=1) + noise[:, 1:]
    return Transitions(
        obs=obs,
        actions=actions,
        rewards=obs[:, 0] + noise[:, 0],
        next_obs=obs + delta,
        terminated=(obs + delta)[:, 0] > 1.5,
        episode_starts=torch.tensor([0]),
        action_space=Box(-1, 1, (1,)),
        source="linear",
    )
