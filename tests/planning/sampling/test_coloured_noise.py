import pytest
import torch

from offline_envs.planning import coloured
from tests.planning.worlds import seeded


@pytest.mark.parametrize("steps", [1, 2, 7, 30])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 3.0])
def test_numbers_have_mean_0_and_variance_1(steps: int, exponent: float) -> None:
    noise = coloured((20_000, steps), exponent, seeded())
    assert noise.shape == (20_000, steps)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.03)
    assert noise.var(dim=0, correction=0).tolist() == pytest.approx([1.0] * steps, rel=0.06)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0])
def test_power_falls_with_the_frequency(exponent: float) -> None:
    """Power at k times the lowest frequency is k^−β of it."""
    noise = coloured((20_000, 32), exponent, seeded())
    power = torch.fft.rfft(noise).abs().square().mean(dim=0)
    expected = [k**-exponent for k in range(1, 17)]
    assert (power[1:] / power[1]).tolist() == pytest.approx(expected, rel=0.06)


def test_white_noise_is_uncorrelated() -> None:
    noise = coloured((20_000, 8), 0.0, seeded())
    assert (noise.T @ noise / len(noise)).sub(torch.eye(8)).abs().max() < 0.04
