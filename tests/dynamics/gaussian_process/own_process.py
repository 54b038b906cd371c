"""A small Gaussian process with fixed hyperparameters, which needs no fit."""

import torch

from offline_envs.data import Transitions
from offline_envs.dynamics import GaussianProcessDynamics, Normalizer
from offline_envs.dynamics.gaussian_process.kernel import Kernel
from offline_envs.dynamics.gaussian_process.posterior import exact_posterior, sparse_posterior

NOISES = (0.04, 0.01, 0.09)
"""Variances of the noise of the three outputs, in squared deviations."""


def process_of(
    transitions: Transitions, *, exact: bool = True, n_points: int = 30
) -> GaussianProcessDynamics:
    """Condition on every row of transitions of two observations and one action."""
    inputs = torch.cat([transitions.obs, transitions.actions], dim=1)
    targets = torch.cat([transitions.rewards[:, None], transitions.next_obs - transitions.obs], dim=1)
    normalizer, scaler = Normalizer(3), Normalizer(3)
    normalizer.fit(inputs)
    scaler.fit(targets)
    x, y = normalizer(inputs).double(), scaler(targets).double()
    ones = torch.ones(3, 3, dtype=torch.float64)
    kernel = Kernel(2 * ones, ones[0], torch.tensor(NOISES, dtype=torch.float64))
    if exact:
        posterior = exact_posterior(kernel, x, y)
    else:
        posterior = sparse_posterior(kernel, x, y, x[None, :n_points].repeat(3, 1, 1))
    return GaussianProcessDynamics(1, posterior, normalizer=normalizer, scaler=scaler, exact=exact).eval()
