"""Hyperparameters of one output by its marginal likelihood: the only module that imports gpytorch."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from offline_envs.dynamics.gaussian_process.settings import GaussianProcessSettings
from offline_envs.dynamics.gaussian_process.tuned_outputs import Tuned
from offline_envs.errors import OfflineEnvsError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # one of its parts scripts functions by torch.jit
    import gpytorch
    from linear_operator.utils.warnings import NumericalWarning

SMALLEST_NOISE = 1e-6
"""Lower bound of the noise's variance, in squared deviations of the output; keeps matrices invertible."""

FIRST_NOISE = 0.1
"""Variance of the noise at the start."""


class _Process(gpytorch.models.ExactGP):  # type: ignore[misc]
    """A zero-mean process with a squared-exponential kernel, exact or with inducing points.

    Args:
        inputs: Standardised inputs, float64 `(n, q)`.
        targets: Standardised output, float64 `(n,)`.
        points: First inducing points, float64 `(m, q)`; none for an exact process.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, points: Tensor) -> None:
        noise = gpytorch.constraints.GreaterThan(SMALLEST_NOISE)
        likelihood = gpytorch.likelihoods.GaussianLikelihood(noise_constraint=noise)
        super().__init__(inputs, targets, likelihood)
        n_inputs = inputs.shape[1]
        self.scaled = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=n_inputs))
        self.mean = gpytorch.means.ZeroMean()
        self.to(inputs)
        self.likelihood.noise = FIRST_NOISE
        self.scaled.outputscale = 1.0
        self.scaled.base_kernel.lengthscale = n_inputs**0.5  # the distance of neighbours grows like this
        self.covariance: Any = self.scaled
        if len(points):
            self.covariance = gpytorch.kernels.InducingPointKernel(
                self.scaled, points.clone(), self.likelihood
            )

    def forward(self, inputs: Tensor) -> Any:
        """The prior at `inputs`."""
        return gpytorch.distributions.MultivariateNormal(self.mean(inputs), self.covariance(inputs))


def tune(
    inputs: Tensor,
    targets: Tensor,
    points: Tensor,
    *,
    settings: GaussianProcessSettings,
    on_step: Callable[[int], None] = lambda step: None,
) -> Tuned:
    """Maximise the log marginal likelihood of one output by Adam.

    For a sparse process it is the lower bound of Titsias 2009, equation 9, which inducing points cannot
    overfit.

    Args:
        inputs: Standardised inputs, float64 `(n, q)`.
        targets: Standardised output, float64 `(n,)`.
        points: First inducing points, float64 `(m, q)`; none, `(0, q)`, for an exact process.
        settings: Number of steps and learning rate.
        on_step: Called after each step with the number of steps done.

    Raises:
        OfflineEnvsError: The likelihood is not finite.
    """
    start = time.perf_counter()
    process = _Process(inputs, targets, points).train()
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(process.likelihood, process)
    optimizer = torch.optim.Adam(process.parameters(), lr=settings.learning_rate)
    losses = []
    with _by_cholesky(len(inputs)):
        for step in range(1, settings.steps + 1):
            optimizer.zero_grad()
            loss = -objective(process(inputs), targets)
            losses.append(float(loss.detach()))
            if not torch.isfinite(loss):
                raise OfflineEnvsError(
                    f"The marginal likelihood is {losses[-1]} at step {step}: the fit diverged. "
                    f"Try a learning_rate below {settings.learning_rate:g}, and look for extreme values in "
                    "the dataset."
                )
            loss.backward()
            optimizer.step()
            on_step(step)
    return Tuned(
        process.scaled.base_kernel.lengthscale.detach()[0].clone(),
        process.scaled.outputscale.detach().clone(),
        process.likelihood.noise.detach()[0].clone(),
        process.covariance.inducing_points.detach().clone() if len(points) else points,
        torch.tensor(losses, dtype=torch.float64),
        torch.tensor(time.perf_counter() - start, dtype=torch.float64),
    )


@contextmanager
def _by_cholesky(n: int) -> Iterator[None]:
    """Let gpytorch factorise matrices of `n` rows, where it would iterate on large ones."""
    with gpytorch.settings.max_cholesky_size(n + 1), warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)  # it says that it added to a diagonal
        yield
