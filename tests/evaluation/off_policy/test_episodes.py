import math

import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.episodes import EpisodeGrid, WeightedEpisodes
from tests.toy import toy_transitions


def test_steps_are_placed_by_episode() -> None:
    """The toys' three episodes of three steps have obs₁ = episode and obs₀ = time."""
    transitions = toy_transitions()
    grid = EpisodeGrid.of(transitions)
    assert grid.horizon == 3
    assert grid.place(transitions.obs[:, 0]).tolist() == [[0, 1, 2]] * 3
    assert grid.place(transitions.obs[:, 1]).tolist() == [[0] * 3, [1] * 3, [2] * 3]
    assert grid.last_rows.tolist() == [2, 5, 8]


def test_a_horizon_cuts_and_a_longer_one_leaves_zeros() -> None:
    transitions = toy_transitions()
    short, long = (EpisodeGrid.of(transitions, horizon) for horizon in (2, 4))
    assert short.place(transitions.obs[:, 0]).tolist() == [[0, 1]] * 3
    assert short.last_rows.tolist() == [1, 4, 7]
    assert long.place(transitions.obs[:, 0] + 1).tolist() == [[1, 2, 3, 0]] * 3
    assert long.last_rows.tolist() == [2, 5, 8]
    with pytest.raises(SettingsError, match="horizon must be at least 1, got 0"):
        EpisodeGrid.of(transitions, 0)


def test_the_effective_sample_size_of_unequal_weights() -> None:
    """Weights 1, 2 and 3 at the last step: (1 + 2 + 3)² / (1 + 4 + 9)."""
    log_ratios = torch.tensor([[0.0, 0.0], [0.0, math.log(2)], [math.log(6), math.log(0.5)]])
    weighted = WeightedEpisodes(torch.zeros(3, 2), log_ratios)
    assert weighted.effective_sample_size == pytest.approx(36 / 14)
    assert weighted.normalized_weights[:, 1].tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert weighted.weights[:, 1].tolist() == pytest.approx([1 / 3, 2 / 3, 3 / 3])


def test_equal_policies_use_every_episode() -> None:
    weighted = WeightedEpisodes(torch.zeros(7, 3), torch.zeros(7, 3))
    assert weighted.effective_sample_size == pytest.approx(7)


def test_hopeless_ratios_stay_finite() -> None:
    """Long episodes have log-weights of thousands, which float64 cannot hold as weights."""
    weighted = WeightedEpisodes(torch.ones(3, 2), torch.tensor([[5e3, 0.0], [0.0, -9e3], [-2e3, -1e3]]))
    assert bool(weighted.weights.isfinite().all())
    assert weighted.normalized_weights[:, 1].tolist() == [1, 0, 0]
    assert weighted.effective_sample_size == pytest.approx(1)


@pytest.mark.parametrize("gamma", [0.0, 1.5, float("nan")])
def test_other_discounts_are_refused(gamma: float) -> None:
    with pytest.raises(SettingsError, match="gamma must be above 0"):
        WeightedEpisodes(torch.zeros(1, 1), torch.zeros(1, 1), gamma)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"one shape \(e, T\), got \(2, 3\) and \(3, 2\)"):
        WeightedEpisodes(torch.zeros(2, 3), torch.zeros(3, 2))
