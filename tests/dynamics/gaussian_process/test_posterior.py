"""Posteriors beside formulas in NumPy, and the sparse one beside the exact one."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.dynamics.gaussian_process.kernel import Kernel
from offline_envs.dynamics.gaussian_process.posterior import CHUNK, exact_posterior, sparse_posterior

LENGTH_SCALES, VARIANCES, NOISES = ((0.7, 2.0), (1.5, 0.4), (3.0, 3.0)), (1.0, 0.5, 4.0), (0.01, 0.2, 1e-4)


def kernel() -> Kernel:
    """Hyperparameters of three outputs over two inputs."""
    return Kernel(*(torch.tensor(v, dtype=torch.float64) for v in (LENGTH_SCALES, VARIANCES, NOISES)))


def rows(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    y = torch.stack([x[:, 0].sin(), x[:, 1] ** 2, x.sum(dim=1)], dim=1)
    return x, y + 0.1 * torch.randn(n, 3, generator=generator, dtype=torch.float64)


def covariance(output: int, x: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
    """Entry by entry, as the definition has it."""
    return np.array(
        [
            [
                VARIANCES[output] * np.exp(-0.5 * (((a - b) / np.array(LENGTH_SCALES[output])) ** 2).sum())
                for b in z
            ]
            for a in x
        ]
    )


def test_covariances_are_those_of_the_definition() -> None:
    x, z = rows(4)[0], rows(3, seed=1)[0]
    found = kernel().covariance(x, z)
    for output in range(3):
        np.testing.assert_allclose(found[output], covariance(output, x.numpy(), z.numpy()), rtol=1e-12)
    unit = Kernel(*(torch.ones(shape, dtype=torch.float64) for shape in ((1, 1), (1,), (1,))))
    at = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    np.testing.assert_allclose(unit.covariance(at, at)[0], [[1, np.exp(-2)], [np.exp(-2), 1]])


def test_one_row_on_paper() -> None:
    """With s² = 1, σ² = 1 and y = 4 the mean at the row is 4 · 1/2, and the variance 1 − 1/2."""
    unit = Kernel(*(torch.ones(shape, dtype=torch.float64) for shape in ((1, 1), (1,), (1,))))
    row, target = torch.zeros(1, 1, dtype=torch.float64), torch.full((1, 1), 4.0, dtype=torch.float64)
    at = torch.tensor([[0.0], [100.0]], dtype=torch.float64)
    mean, variance = exact_posterior(unit, row, target)(at)
    np.testing.assert_allclose(mean, [[2.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(variance, [[0.5, 1.0]], atol=1e-12)


def test_the_exact_posterior_is_the_closed_form() -> None:
    (x, y), (at, _) = rows(20), rows(5, seed=1)
    mean, variance = exact_posterior(kernel(), x, y)(at)
    for output in range(3):
        noisy = covariance(output, x.numpy(), x.numpy()) + NOISES[output] * np.eye(20)
        cross = covariance(output, at.numpy(), x.numpy())
        expected = cross @ np.linalg.solve(noisy, y[:, output].numpy())
        spread = VARIANCES[output] - np.diag(cross @ np.linalg.solve(noisy, cross.T))
        np.testing.assert_allclose(mean[output], expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(variance[output], spread, rtol=1e-6, atol=1e-9)


def test_with_all_rows_as_inducing_points_the_sparse_posterior_is_the_exact_one() -> None:
    (x, y), (at, _) = rows(30), rows(7, seed=1)
    exact = exact_posterior(kernel(), x, y)(at)
    sparse = sparse_posterior(kernel(), x, y, x.expand(3, -1, -1))(at)
    for a, b in zip(sparse, exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_sparse_posterior_is_titsias_formula() -> None:
    """Titsias 2009, equation 6, by plain inverses: with few points it is not the exact posterior."""
    (x, y), (at, _) = rows(CHUNK + 40), rows(5, seed=1)
    points = torch.stack([x[:4], x[4:8], x[8:12]])
    mean, variance = sparse_posterior(kernel(), x.float(), y.float(), points)(at)
    x, y = x.float().double(), y.float().double()
    every = kernel().covariance(points, x).numpy()  # checked above
    for output in range(3):
        z, noise = points[output].numpy(), NOISES[output]
        among, cross = covariance(output, z, z), covariance(output, at.numpy(), z)
        sigma = np.linalg.inv(among + every[output] @ every[output].T / noise)
        expected = cross @ sigma @ every[output] @ y[:, output].numpy() / noise
        spread = VARIANCES[output] - np.diag(cross @ (np.linalg.inv(among) - sigma) @ cross.T)
        np.testing.assert_allclose(mean[output], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(variance[output], spread, rtol=1e-4, atol=1e-5)


def test_far_from_the_rows_the_prior_returns() -> None:
    x, y = rows(20)
    far = torch.full((1, 2), 1e3, dtype=torch.float64)
    for posterior in (
        exact_posterior(kernel(), x, y),
        sparse_posterior(kernel(), x, y, x[None, :9].repeat(3, 1, 1)),
    ):
        mean, variance = posterior(far)
        np.testing.assert_allclose(mean[:, 0], 0.0, atol=1e-12)
        np.testing.assert_allclose(variance[:, 0], VARIANCES, rtol=1e-12)
