import math

import pytest
import torch

from offline_envs.dynamics import (
    DISAGREEMENTS,
    Prediction,
    UnknownDetector,
    disagreement_scale,
    max_deviation,
    max_disagreement,
    obs_scale,
)
from offline_envs.dynamics.uncertainty.measures import largest_distance
from offline_envs.errors import SettingsError
from tests.toy import toy_transitions

PREDICTION = Prediction(  # three members, two rows; the reward, first of each three, does not count
    mean=torch.tensor(
        [
            [[9.0, 0.0, 0.0], [0.0, 1.0, 1.0]],
            [[-5.0, 6.0, 8.0], [50.0, 1.0, 1.0]],
            [[0.0, 3.0, 4.0], [0.0, 1.0, 1.0]],
        ]
    ),
    std=torch.ones(3, 2, 3),
)


def test_disagreement_is_the_distance_of_the_two_members_farthest_apart() -> None:
    assert max_disagreement(PREDICTION).tolist() == [10.0, 0.0]
    assert max_deviation(PREDICTION).tolist() == [5.0, 0.0]  # from the average (3, 4)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8])
def test_every_pair_of_members_is_compared(n: int) -> None:
    points = torch.randn(n, 50, 4, generator=torch.Generator().manual_seed(n))
    pairs = [(a - b).norm(dim=-1) for a in points.double() for b in points.double()]
    torch.testing.assert_close(largest_distance(points), torch.stack(pairs).amax(0).float())


def test_scale_divides_each_dimension() -> None:
    detector = UnknownDetector(torch.tensor([2.0, 2.0]), threshold=5.0)
    disagreement, unknown = detector(PREDICTION)
    assert disagreement.tolist() == [5.0, 0.0]
    assert unknown.tolist() == [False, False]  # the threshold itself is known
    assert UnknownDetector(torch.tensor([2.0, 1.0]), 5.0)(PREDICTION)[0][0] == pytest.approx(math.sqrt(73))
    assert UnknownDetector(torch.ones(2), 9.9)(PREDICTION)[1].tolist() == [True, False]


def test_what_is_not_a_number_is_unknown() -> None:
    """NaN is neither above nor below any threshold, and would count as known."""
    broken = Prediction(torch.tensor([[[0.0, math.nan]], [[0.0, 1.0]]]), torch.ones(2, 1, 2))
    assert UnknownDetector(torch.ones(1), 1e9)(broken)[1].tolist() == [True]


def test_unit_is_the_deviation_of_the_dataset() -> None:
    """Times 0, 1, 2 in each of three episodes: variance 2/3, and so for the episodes' numbers."""
    expected = torch.full((2,), math.sqrt(2 / 3))
    torch.testing.assert_close(obs_scale(toy_transitions(), "std"), expected)
    assert obs_scale(toy_transitions(), "raw").tolist() == [1.0, 1.0]
    with pytest.raises(SettingsError, match=r"Unknown units 'metres'\. Valid: raw, std"):
        obs_scale(toy_transitions(), "metres")


def test_the_deviation_of_the_members_counts_the_reward() -> None:
    """In row 0 the rewards are 9, −5 and 0, and the observations' variances 6 and 32/3."""
    found = DISAGREEMENTS["std"](PREDICTION, torch.tensor([2.0, 1.0, 4.0]))
    reward = ((9 - 4 / 3) ** 2 + (-5 - 4 / 3) ** 2 + (4 / 3) ** 2) / 3
    assert found[0] == pytest.approx(math.sqrt((reward / 4 + 6 + (32 / 3) / 16) / 3))


def test_units_of_the_reward_are_chosen_like_those_of_the_observation() -> None:
    """Rewards −t − e have the variance 4/3."""
    toy = toy_transitions()
    torch.testing.assert_close(disagreement_scale(toy, "std", "std")[0], torch.tensor(math.sqrt(4 / 3)))
    assert disagreement_scale(toy, "raw", "std").tolist() == [1.0] * 3
    assert torch.equal(disagreement_scale(toy, "std"), obs_scale(toy, "std"))


def test_dimension_that_never_changes_keeps_its_unit() -> None:
    """Dividing by its deviation would make every disagreement infinite."""
    toy = toy_transitions()
    toy.obs[:, 1] = 0.1
    assert obs_scale(toy, "std")[1] == 1.0
