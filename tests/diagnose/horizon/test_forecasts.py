import pytest
import torch

from offline_envs.diagnose.ground_truth.windows import recorded_windows
from offline_envs.diagnose.horizon.forecasts import (
    mean_forecast,
    no_change,
    sampled_forecast,
    window_forecast,
)
from offline_envs.envs import ModelOptions, assemble
from offline_envs.evaluation import DataScale
from tests.toy import toy_ensemble, toy_transitions

UNIT = DataScale(torch.zeros(2), torch.ones(2), -2.0, 1.0)


def test_a_sampled_forecast_repeats_with_its_seed() -> None:
    """The elites of the toys disagree, so that another seed follows others of them."""
    parts = assemble(toy_transitions(), options=ModelOptions(model=toy_ensemble(), termination="never"))
    windows = recorded_windows(toy_transitions(), torch.tensor([0, 3]), 3)
    first, second, other = (
        sampled_forecast(parts.mdp, windows, torch.Generator().manual_seed(seed)).obs for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_mean_forecast_follows_the_average_of_the_elites() -> None:
    """Elites move by (−1.5, 0) and (1.5, 0), so on average not at all, and pay 4 and 1."""
    parts = assemble(toy_transitions(), options=ModelOptions(model=toy_ensemble(), termination="never"))
    windows = recorded_windows(toy_transitions(), torch.tensor([0]), 3)
    found = mean_forecast(parts.mdp, windows)
    torch.testing.assert_close(found.obs, torch.zeros(1, 3, 2))
    assert found.rewards.tolist() == [pytest.approx([2.5] * 3)]


def test_baselines_by_hand() -> None:
    windows = recorded_windows(toy_transitions(), torch.tensor([1]), 2)
    still = no_change(windows, UNIT)
    assert still.obs.tolist() == [[[1, 0], [1, 0]]]
    assert still.rewards.tolist() == [[-2, -2]]
    other = window_forecast(windows)
    assert other.obs.tolist() == [[[2, 0], [3, 0]]]
    assert other.rewards.tolist() == windows.rewards.tolist()
