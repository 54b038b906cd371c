import math

import pytest
import torch
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution

from offline_envs.sb3.fast_sac.squashed_gaussian import heads_gradient, squashed_sample


def random_heads(rows: int, action_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    heads = torch.randn(rows, 2 * action_dim, generator=generator, dtype=torch.float64)
    heads[0, action_dim:] = 5.0  # beyond the upper bound of log σ
    heads[1, action_dim:] = 2.0  # on it
    return heads, torch.randn(rows, action_dim, generator=generator, dtype=torch.float64)


def test_by_hand() -> None:
    """At u = 0 with σ = 1: log π = −½ log 2π − log(1 + 10⁻⁶)."""
    sample = squashed_sample(torch.zeros(1, 2), torch.zeros(1, 1))
    assert sample.action.item() == 0
    assert sample.log_prob.item() == pytest.approx(-0.5 * math.log(2 * math.pi), abs=2e-6)


def test_it_is_the_distribution_of_stable_baselines3() -> None:
    heads, noise = random_heads(50, 3)
    sample = squashed_sample(heads, noise)
    distribution = SquashedDiagGaussianDistribution(3).proba_distribution(
        heads[:, :3], heads[:, 3:].clamp(-20, 2)
    )
    gaussian = heads[:, :3] + heads[:, 3:].clamp(-20, 2).exp() * noise
    torch.testing.assert_close(sample.action, torch.tanh(gaussian))
    torch.testing.assert_close(sample.log_prob[:, 0], distribution.log_prob(torch.tanh(gaussian), gaussian))


@pytest.mark.parametrize("mean", [0.0, 3.0, 6.0, 9.0])
def test_saturated_actions_are_as_likely_as_in_stable_baselines3(mean: float) -> None:
    """In float32, where 1 - a² is 0 and 10⁻⁶ alone decides."""
    _, noise = random_heads(50, 6)
    heads = torch.cat([torch.full((50, 6), mean), torch.full((50, 6), -1.0)], dim=1)
    gaussian = heads[:, :6] + heads[:, 6:].exp() * noise.float()
    distribution = SquashedDiagGaussianDistribution(6).proba_distribution(heads[:, :6], heads[:, 6:])
    expected = distribution.log_prob(torch.tanh(gaussian), gaussian)
    sample = squashed_sample(heads, noise.float())
    torch.testing.assert_close(sample.log_prob[:, 0], expected, rtol=1e-5, atol=1e-4)


def test_the_gradient_is_that_of_autograd() -> None:
    heads, noise = random_heads(50, 3)
    weights = torch.linspace(-1, 1, 150, dtype=torch.float64).view(50, 3)
    heads.requires_grad_(True)
    sample = squashed_sample(heads, noise)
    loss = (weights * sample.action).sum() + 0.3 * sample.log_prob.sum()
    [expected] = torch.autograd.grad(loss, heads)
    with torch.no_grad():
        actual = heads_gradient(
            squashed_sample(heads, noise), weights.clone(), torch.tensor(0.3, dtype=torch.float64)
        )
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)
