import math

import pytest
import torch

from offline_envs.diagnose.ground_truth.windows import Windows, recorded_windows
from offline_envs.diagnose.horizon.forecasts import (
    Forecast,
    mean_forecast,
    no_change,
    sampled_forecast,
    window_forecast,
)
from offline_envs.diagnose.horizon.open_loop import group_errors, growth, trusted_horizon
from offline_envs.envs import ModelOptions, assemble
from offline_envs.evaluation import DataScale
from tests.toy import counting_ensemble, toy_transitions

UNIT = DataScale(torch.zeros(2), torch.ones(2), -2.0, 1.0)


def test_a_model_that_counts_as_the_data_do_makes_no_error() -> None:
    """In the toys obs₀ grows by one each step; the reward of the model is 1, that of the data −t − e."""
    parts = assemble(toy_transitions(), options=ModelOptions(model=counting_ensemble(), termination="never"))
    windows = recorded_windows(toy_transitions(), torch.tensor([0, 3]), 3)
    for forecast in (
        sampled_forecast(parts.mdp, windows, torch.Generator().manual_seed(0)),
        mean_forecast(parts.mdp, windows),
    ):
        errors = group_errors(windows, forecast, UNIT, {"first": slice(0, 1)})
        assert list(errors) == ["observation", "first", "reward"]
        assert errors["observation"].max() < 1e-4
        assert errors["reward"].flatten().tolist() == pytest.approx([1, 2, 3, 2, 3, 4], abs=1e-4)


def test_errors_are_in_deviations_of_the_data_and_end_with_the_episode() -> None:
    """Expecting no change, obs₀ is off by t/2 deviations; the mean over two dimensions halves the square."""
    scale = DataScale(torch.zeros(2), torch.tensor([2.0, 5.0]), reward_mean=-3.0, reward_std=4.0)
    windows = recorded_windows(toy_transitions(), torch.tensor([0, 1]), 3)
    errors = group_errors(windows, no_change(windows, scale), scale, {"first": slice(0, 1)})
    assert errors["first"][0].tolist() == [0.5, 1, 1.5]
    assert errors["observation"][0].tolist() == pytest.approx([t / math.sqrt(2) for t in (0.5, 1, 1.5)])
    assert errors["reward"][0].tolist() == [0.75, 0.5, 0.25]
    assert errors["first"][1, :2].tolist() == [0.5, 1]
    assert errors["first"][1, 2].isnan()


def test_other_windows_serve_as_a_forecast() -> None:
    windows = recorded_windows(toy_transitions(), torch.tensor([0]), 3)
    errors = group_errors(windows, window_forecast(windows), UNIT, {})
    assert errors["observation"].max() == errors["reward"].max() == 0


def test_growth_counts_the_episodes_that_still_run() -> None:
    error = torch.tensor([[1.0, 5], [2, math.nan], [3, math.nan]], dtype=torch.float64)
    found = growth(error)
    assert (found.median.tolist(), found.n.tolist()) == ([2, 5], [3, 1])
    assert found.low[0].item() == pytest.approx(1.2)
    assert found.high[0].item() == pytest.approx(2.8)


@pytest.mark.parametrize(
    ("error", "baseline", "n", "expected"),
    [
        ([0.1, 0.2, 0.6, 0.1], [1, 1, 1, 1], [9, 9, 9, 9], 2),  # what comes after is no comfort
        ([0.1, 0.2, 0.3], [1, 0.2, 1], [9, 9, 9], 1),  # no better than expecting no change
        ([0.1, 0.2, 0.3], [1, 1, 1], [9, 4, 9], 1),  # too few episodes
        ([0.6], [1], [9], 0),
        ([0.1, math.nan], [1, math.nan], [9, 0], 1),
    ],
)
def test_the_trusted_horizon_by_hand(
    error: list[float], baseline: list[float], n: list[int], expected: int
) -> None:
    tensors = torch.tensor(error), torch.tensor(baseline), torch.tensor(n)
    assert trusted_horizon(*tensors, limit=0.5, least=5) == expected


def test_the_past_in_a_history_hides_no_errors() -> None:
    """Columns that are known are right: an error of 2 in the other one would otherwise count √2."""
    obs = torch.zeros(1, 2, 2)
    windows = Windows(obs, torch.zeros(1, 1, 1), torch.zeros(1, 1), torch.tensor([1]))
    forecast = Forecast(torch.tensor([[[2.0, 0.0]]]), torch.zeros(1, 1))
    assert group_errors(windows, forecast, UNIT, {})["observation"].item() == pytest.approx(2**0.5)
    assert group_errors(windows, forecast, UNIT, {}, slice(0, 1))["observation"].item() == 2
