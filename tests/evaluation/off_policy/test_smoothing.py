import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.smoothing import SmoothedPolicy, chosen_bandwidth, expected_values
from tests.toy import toy_transitions


def ramp(obs: Tensor) -> Tensor:
    return obs[:, :1] * 0.5


def smoothed(bandwidth: float) -> SmoothedPolicy:
    return SmoothedPolicy.of(ramp, toy_transitions(), bandwidth)


@pytest.mark.parametrize("mean", [0.0, 0.9, 1.0])
def test_the_density_integrates_to_one_within_the_bounds(mean: float) -> None:
    """Also where the kernel is cut in half by a bound."""
    grid = torch.linspace(-1, 1, 20_001)[:, None]
    density = smoothed(0.3).log_prob(torch.full((len(grid), 2), 2 * mean), grid).exp()
    assert float(torch.trapezoid(density, grid[:, 0].double())) == pytest.approx(1, abs=1e-5)


def test_without_a_bound_nearby_it_is_a_gaussian() -> None:
    found = smoothed(0.1).log_prob(torch.zeros(1, 2), torch.tensor([[0.05]]))
    assert float(found) == pytest.approx(-0.125 - np.log(0.1 * np.sqrt(2 * np.pi)), abs=1e-5)


def test_samples_have_that_density() -> None:
    """Action 1 is a bound, so the kernel is half a Gaussian: its mean is 1 − h·√(2/π)."""
    drawn = smoothed(0.2).sample(torch.full((100_000, 2), 2.0), torch.Generator().manual_seed(0))
    assert float(drawn.mean()) == pytest.approx(1 - 0.2 * np.sqrt(2 / np.pi), abs=0.002)
    assert float(drawn.max()) <= 1


def test_the_mean_of_q_over_draws_is_its_expectation() -> None:
    obs = torch.zeros(20_000, 2)
    found = expected_values(lambda o, a: a[:, 0] ** 2, smoothed(0.1), obs, n_actions=3)
    assert float(found.mean()) == pytest.approx(0.01, abs=2e-4)


def test_rules_scale_with_deviation_and_number() -> None:
    """32 actions of deviation 1/2, one dimension: 32^(−1/5) = 1/2; Silverman's is (4/3)^(1/5) times it."""
    actions = torch.tensor([[-0.5], [0.5]]).repeat(16, 1)
    space = Box(-1.0, 1.0, (1,))
    assert float(chosen_bandwidth("scott", actions, space)) == pytest.approx(0.25)
    assert float(chosen_bandwidth("silverman", actions, space)) == pytest.approx(0.25 * (4 / 3) ** 0.2)
    assert float(chosen_bandwidth(0.7, actions, space)) == pytest.approx(0.7)
    constant = torch.zeros(8, 1)
    assert float(chosen_bandwidth("scott", constant, space)) == pytest.approx(2e-3)


def test_other_bandwidths_are_refused() -> None:
    with pytest.raises(SettingsError, match="Unknown bandwidth 'wide'"):
        SmoothedPolicy.of(ramp, toy_transitions(), "wide")
    with pytest.raises(SettingsError, match=r"bandwidth must be positive or one of scott, silverman, got 0"):
        SmoothedPolicy.of(ramp, toy_transitions(), 0.0)
