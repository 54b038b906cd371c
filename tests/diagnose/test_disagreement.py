import pytest
import torch

from offline_envs.diagnose.disagreement import halt_rate, max_disagreement, thresholds
from offline_envs.dynamics import Prediction
from tests.toy import MEANS, STDS


def toy_prediction(n: int = 2) -> Prediction:
    mean, std = (torch.tensor(values)[:, None].expand(-1, n, -1) for values in (MEANS, STDS))
    return Prediction(mean, std)


def test_the_largest_distance_of_two_members_by_hand() -> None:
    """Means of the next obs (1.5, 0), (0, 6), (−1.5, 0): 0 to 1 and 1 to 2 are √(1.5² + 6²) apart."""
    found = max_disagreement(toy_prediction(), torch.ones(2))
    assert found.tolist() == pytest.approx([(1.5**2 + 36) ** 0.5] * 2)


def test_the_scale_is_the_unit_of_each_dimension() -> None:
    """With a second dimension in units of 60, the first two differ by (1.5, 0.1), the outer two by (3, 0)."""
    assert max_disagreement(toy_prediction(1), torch.tensor([1.0, 60.0])).item() == pytest.approx(3)


def test_the_reward_is_no_disagreement() -> None:
    mean = torch.tensor([[[0.0, 1.0]], [[100.0, 1.0]]])
    assert max_disagreement(Prediction(mean, torch.ones_like(mean)), torch.ones(1)).item() == 0


def test_close_members_far_from_the_origin_keep_their_distance() -> None:
    """A distance by squared norms would lose 1e-3 beside 1e3 in float32."""
    mean = torch.tensor([[[0.0, 1000.0]], [[0.0, 1000.001]]])
    expected = float(mean[1, 0, 1] - mean[0, 0, 1])
    assert max_disagreement(Prediction(mean, mean), torch.ones(1)).item() == expected


def test_thresholds_by_hand() -> None:
    assert thresholds(torch.tensor([1.0, 3.0]), (0, 5)) == {0: 2, 5: 7}


def test_a_step_is_halted_above_the_threshold_not_at_it() -> None:
    rates = halt_rate(torch.tensor([3.0, 1, 2, 2]), torch.tensor([0.0, 1, 2, 2.5, 3]))
    assert rates.tolist() == [1, 0.75, 0.25, 0.25, 0]
