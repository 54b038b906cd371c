import math

import numpy as np
import torch

from offline_envs.adversary import advantage, adversarial_loss, mixture_log_prob, standardized


def test_log_prob_of_a_mixture_by_hand() -> None:
    """N(0; 0, 1) = 1/√(2π), N(0; 2, 1) = e⁻²/√(2π): the logarithm of their mean is known."""
    log_prob = mixture_log_prob(torch.tensor([[[0.0]], [[2.0]]]), torch.zeros(2, 1, 1), torch.zeros(1, 1))
    expected = math.log((1 + math.exp(-2)) / (2 * math.sqrt(2 * math.pi)))
    torch.testing.assert_close(log_prob, torch.tensor([expected]))


def test_log_prob_agrees_with_densities_multiplied_in_float64() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, logvar = torch.randn(2, 5, 7, 4, generator=generator)
    target = torch.randn(7, 4, generator=generator)
    std = np.exp(0.5 * logvar.double().numpy())
    z = (target.double().numpy() - mean.double().numpy()) / std
    density = (np.exp(-0.5 * z**2) / (std * math.sqrt(2 * math.pi))).prod(axis=-1).mean(axis=0)
    found = mixture_log_prob(mean, logvar, target).double().numpy()
    np.testing.assert_allclose(found, np.log(density), rtol=1e-5)


def test_log_prob_is_finite_where_densities_underflow() -> None:
    """A Humanoid has 349 outputs. A density of 10⁻⁴⁰⁰ is 0 even in float64, whose logarithm ends a run."""
    mean = torch.zeros(5, 2, 349, requires_grad=True)
    log_prob = mixture_log_prob(mean, torch.full((5, 2, 349), -10.0), torch.ones(2, 349))
    one_output = -0.5 * (math.exp(10) - 10 + math.log(2 * math.pi))
    torch.testing.assert_close(log_prob, torch.full((2,), 349 * one_output))
    torch.autograd.backward(log_prob.sum())
    assert mean.grad is not None
    assert bool(mean.grad.isfinite().all())


def test_advantage_does_not_look_beyond_an_end() -> None:
    terminated = torch.tensor([False, True])
    values = torch.tensor([10.0, math.inf]), torch.tensor([4.0, 4.0])
    found = advantage(torch.tensor([1.0, 1.0]), *values, terminated, gamma=0.5)
    assert found.tolist() == [2.0, -3.0]


def test_standardized_has_mean_0_and_deviation_1() -> None:
    torch.testing.assert_close(standardized(torch.tensor([1.0, 3.0])), torch.tensor([-1.0, 1.0]))
    assert standardized(torch.full((3,), 7.0)).tolist() == [0.0, 0.0, 0.0]


def test_the_loss_is_a_mean_and_its_weights_are_constants() -> None:
    """Otherwise the model would be trained on the critics' values of its own outcomes."""
    log_prob = torch.tensor([1.0, 2.0], requires_grad=True)
    weight = torch.tensor([3.0, -1.0], requires_grad=True)
    loss = adversarial_loss(log_prob, weight)
    assert loss.item() == 0.5
    torch.autograd.backward(loss)
    assert log_prob.grad is not None
    assert log_prob.grad.tolist() == [1.5, -0.5]
    assert weight.grad is None


def test_gradient_agrees_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(1)
    mean, logvar = (torch.randn(3, 6, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    target = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    weight = standardized(torch.randn(6, generator=generator, dtype=torch.float64))

    def loss(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        return adversarial_loss(mixture_log_prob(mean, logvar, target), weight)

    inputs = [mean.requires_grad_(), logvar.requires_grad_()]
    for position, exact in enumerate(torch.autograd.grad(loss(*inputs), inputs)):
        for index in np.ndindex(3, 6, 2):
            moved = [[tensor.detach().clone() for tensor in inputs] for _ in range(2)]
            moved[0][position][index] += 1e-6
            moved[1][position][index] -= 1e-6
            estimate = (loss(*moved[0]) - loss(*moved[1])) / 2e-6
            torch.testing.assert_close(exact[index], estimate, rtol=1e-6, atol=1e-9)


def test_gradient_is_that_of_the_value_of_a_gaussian_model() -> None:
    """With V(y) = 3y and y ~ N(μ, σ) the value is 3μ: its gradient is 3 by μ, and 0 by log σ²."""
    mu, sigma, n = 0.7, 0.5, 1_000_000
    mean = torch.full((1, n, 1), mu, dtype=torch.float64, requires_grad=True)
    logvar = torch.full((1, n, 1), 2 * math.log(sigma), dtype=torch.float64, requires_grad=True)
    noise = torch.randn(n, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = mu + sigma * noise
    gain = 3 * target[:, 0] - 3 * mu  # Q, the baseline, is the value
    loss = adversarial_loss(mixture_log_prob(mean, logvar, target), gain)
    by_mean, by_logvar = (g.sum().item() for g in torch.autograd.grad(loss, [mean, logvar]))
    by_hand = (gain * noise[:, 0] / sigma).mean().item()  # the score of a Gaussian is (y − μ)/σ²
    assert abs(by_mean - by_hand) < 1e-9
    assert abs(by_mean - 3.0) < 0.02
    assert abs(by_logvar) < 0.01
