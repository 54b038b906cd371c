"""A world of one number and two actions, whose model and values are known."""

from typing import Any

import gymnasium as gym
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.adversary import Adversary, AdversarySettings
from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.dynamics.fitting.rows import split_rows
from tests.toy import toy_ensemble

NOISE = 0.1
"""Deviation of reward and next_obs in `two_states`."""

FIT = FitSettings(
    learning_rate=1e-2, max_epochs=40, patience=40, weight_decay=(0.0,), standardize_targets=False
)
SINGLE = EnsembleSettings(n_members=1, n_elites=1, hidden=(16,))


def two_states(n: int = 2000, *, good_action: bool = True, seed: int = 0) -> Transitions:
    """Obs is near 0 or 1; action −1 leads to 0 and action 1 to 1, up to noise; the reward is next_obs.

    Args:
        n: Number of rows.
        good_action: Whether half of the rows take action 1; otherwise none does.
        seed: Seed of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    obs = (torch.arange(n) // 2 % 2).float()
    right = (torch.arange(n) % 2 == 0) & good_action
    next_obs = right.float() + NOISE * torch.randn(n, generator=generator)
    return Transitions(
        obs=obs[:, None],
        actions=torch.where(right, 1.0, -1.0)[:, None],
        rewards=right.float() + NOISE * torch.randn(n, generator=generator),
        next_obs=next_obs[:, None],
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=Box(-1.0, 1.0, (1,)),
        source="two states",
    )


def fitted(transitions: Transitions, settings: EnsembleSettings = SINGLE) -> EnsembleDynamics:
    """An ensemble fitted to `transitions` within a second."""
    return fit(transitions, settings, fit_settings=FIT, progress=False).ensemble


class AlwaysRight:
    """Policy that takes action 1, with the value of a state its number, V(s) = s, with Q(s, 1) = 2."""

    def act(self, obs: Tensor) -> Tensor:
        return torch.ones(len(obs), 1)

    def state_value(self, obs: Tensor) -> Tensor:
        return obs[:, 0]

    def action_value(self, obs: Tensor, action: Tensor) -> Tensor:
        del action  # Unused.
        return torch.full((len(obs),), 2.0)


def adversary_of(
    transitions: Transitions, model: EnsembleDynamics, fit_settings: FitSettings = FIT, **settings: Any
) -> Adversary:
    """An adversary of `AdversarialModel-v0` with that model."""
    env: Any = gym.make(
        "AdversarialModel-v0", dataset=transitions, model=model, termination="never"
    ).unwrapped
    chosen = AdversarySettings(**settings)
    return Adversary(env.mdp, env.transitions, settings=chosen, fit_settings=fit_settings)


def weights_of(ensemble: EnsembleDynamics) -> Tensor:
    """Every parameter in one vector, copied."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in ensemble.parameters()]).clone()


def known(transitions: Transitions, mean: tuple[float, float], std: tuple[float, float]) -> EnsembleDynamics:
    """One member that predicts the same (reward, delta) everywhere, with the normaliser of a fit."""
    ensemble = toy_ensemble((mean,), (std,), (0,))
    split_rows(transitions, ensemble.normalizer, fit_settings=FIT, device=torch.device("cpu"))
    return ensemble
