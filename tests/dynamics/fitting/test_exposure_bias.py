"""What training over several steps is for: a system on which single steps are known to mislead."""

import math
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit

NOISE_SHARE = 1 / 9
"""Variance of the noise over that of the state."""

HORIZON = 8


def oscillator(n_episodes: int, *, noise: float, seed: int, length: int = 30) -> Transitions:
    """States of variance 1 that turn by 0.3 a step, seen through noise; rewards and actions are zero."""
    generator = torch.Generator().manual_seed(seed)
    angle = 0.3 * torch.arange(length + 1)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).view(-1, 2, 2)
    state = torch.einsum("tij,ej->eti", turn, torch.randn(n_episodes, 2, generator=generator))
    seen = state + noise * torch.randn(state.shape, generator=generator)
    n = n_episodes * length
    return Transitions(
        obs=seen[:, :-1].reshape(n, 2),
        actions=torch.zeros(n, 1),
        rewards=torch.zeros(n),
        next_obs=seen[:, 1:].reshape(n, 2),
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.arange(n_episodes) * length,
        action_space=Box(-1, 1, (1,)),
    )


def open_loop_error(ensemble: EnsembleDynamics, data: Transitions) -> float:
    """Error of the state after `HORIZON` steps of the members' mean, as a share of the state's own size."""
    obs = data.initial_obs
    for _ in range(HORIZON):
        obs = obs + ensemble.predict(obs, torch.zeros(len(obs), 1)).mean.mean(dim=0)[:, 1:]
    truth = data.next_obs[data.episode_starts + HORIZON - 1]
    return float((obs - truth).norm() / truth.norm())


def remaining(n_steps: int) -> float:
    """The factor a of the state that minimises Σ_j (1 − aʲ)² + q·a²ʲ over j = 1 … n_steps, on a grid."""
    a = torch.linspace(0.5, 1.0, 50_001, dtype=torch.float64)
    powers = a[:, None] ** torch.arange(1, n_steps + 1)
    return float(a[((1 - powers).square() + NOISE_SHARE * powers.square()).sum(dim=1).argmin()])


@pytest.mark.parametrize("probabilistic", [False, True])
def test_an_oscillator_seen_through_noise_decays_after_single_steps_only(probabilistic: bool) -> None:
    """A fit to single steps is biased here, whatever the amount of data: errors in variables.

    With state x of variance 1, noise of variance q, and y = x + noise, the best prediction of the next y is
    the turned y times 1/(1 + q), as E[x | y] = y/(1 + q): noise in the input dilutes the regression. Open
    loop, the state is multiplied by that at every step: (1 + q)⁻ʲ of it is left after j, 43 % after 8 if
    q = 1/9. Over k steps the only noise in an open-loop prediction is that of its start, and the factor a of
    the best turn minimises Σ_j (1 − aʲ)² + q·a²ʲ: 86 % is left after 8 steps.
    """
    single, several = 1 / (1 + NOISE_SHARE), remaining(HORIZON)
    assert remaining(1) == pytest.approx(single, abs=1e-4)
    data = oscillator(300, noise=math.sqrt(NOISE_SHARE), seed=0)
    truth = oscillator(100, noise=0.0, seed=1)
    shape = EnsembleSettings(n_members=1, n_elites=1, hidden=(16,), probabilistic=probabilistic)
    common: dict[str, Any] = {
        "schedule": "cosine",
        "learning_rate": 1e-2,
        "weight_decay": (0.0,),
        "holdout": 400,
        "bootstrap": False,
    }
    errors = []
    for steps, epochs in ((1, 20), (HORIZON, 12)):
        settings = FitSettings(rollout_steps=steps, max_epochs=epochs, **common)
        ensemble = fit(data, shape, fit_settings=settings, progress=False).ensemble
        errors.append(open_loop_error(ensemble, truth))
    assert errors[0] == pytest.approx(1 - single**HORIZON, abs=0.04)
    assert errors[1] == pytest.approx(1 - several**HORIZON, abs=0.04)
    assert errors[1] < 0.4 * errors[0]
