import numpy as np
import pytest
import torch

from offline_envs.evaluation.ranking import Bin, mean_ranks, rank_correlation, reliability_bins


def test_bins_of_equal_count_by_hand() -> None:
    uncertainty, error = torch.tensor([4.0, 1, 3, 2, 5]), torch.tensor([40.0, 10, 30, 20, 0])
    assert reliability_bins(uncertainty, error, n_bins=2) == [Bin(2, 20, 3), Bin(4.5, 20, 2)]


def test_fewer_steps_than_bins_are_a_bin_each() -> None:
    assert [b.n for b in reliability_bins(torch.arange(3.0), torch.ones(3), n_bins=10)] == [1, 1, 1]


def test_the_rank_correlation_by_hand() -> None:
    """Spearman: 1 − 6 Σd² / (n(n² − 1)) = 1 − 6·2 / 60."""
    u = torch.tensor([1.0, 20, 30, 400])
    assert rank_correlation(u, torch.tensor([0.1, 0.3, 0.2, 9])) == pytest.approx(0.8)
    assert rank_correlation(u, torch.ones(4)) is None
    assert rank_correlation(torch.tensor([1.0, torch.inf, 2, torch.nan]), u) == pytest.approx(0.8)


def test_equal_values_share_their_ranks() -> None:
    assert mean_ranks(np.array([3.0, 1, 3, 7])).tolist() == [2.5, 1, 2.5, 4]
