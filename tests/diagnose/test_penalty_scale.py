import math
from dataclasses import replace

import pytest
import torch

from offline_envs.diagnose.diagnosis import dataset_steps
from offline_envs.diagnose.measured import Doubt
from offline_envs.diagnose.penalty_scale import PenaltyScale, SourceScale, course
from tests.toy import toy_transitions

STEPS = dataset_steps(toy_transitions(), torch.tensor([0, 1, 2, 3]))  # rewards 0, −1, −2, −1


def test_lambda_takes_a_tenth_to_a_half_of_the_reward() -> None:
    scale = PenaltyScale(mean=0.2, high=1.0, reward=4.0)
    assert scale.cost == pytest.approx(0.05)
    assert scale.tail == pytest.approx(5)
    assert scale.coefficients is not None
    low, high = scale.coefficients
    assert (low * 0.2 / 4, high * 0.2 / 4) == (pytest.approx(0.1), pytest.approx(0.5))


@pytest.mark.parametrize("scale", [PenaltyScale(0.0, 0.0, 1.0), PenaltyScale(1.0, 1.0, 0.0)])
def test_without_uncertainty_or_reward_there_is_no_lambda(scale: PenaltyScale) -> None:
    assert scale.coefficients is None
    assert scale.tail == 1


def test_a_source_counts_its_steps_up_to_the_horizon() -> None:
    steps = replace(
        STEPS,
        time=torch.tensor([1, 2, 3, 1]),
        terminated=torch.tensor([False, True, True, False]),
        exploded=torch.tensor([False, True, False, False]),
    )
    doubt = Doubt({"max_std": torch.tensor([1.0, 2, 100, 3])}, torch.zeros(4))
    found = SourceScale.of("toy", steps, doubt, horizon=2)
    assert (found.n, found.terminated, found.exploded) == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    scale = found.measures["max_std"]
    assert (scale.mean, scale.reward) == (2, pytest.approx(2 / 3))
    assert scale.high == pytest.approx(2.9)  # of 1, 2, 3, linear between ranks
    assert SourceScale.of("toy", steps, doubt).n == 4
    assert found.rows()[0]["mean u / mean |reward|"] == pytest.approx(3)


def test_the_course_is_a_mean_a_step_while_half_of_the_episodes_last() -> None:
    time = torch.tensor([1, 1, 3, 3, 1, 4])
    found = course(torch.tensor([1.0, 2, 7, 9, 6, 5]), replace(STEPS, time=time))
    assert found[[0, 2]].tolist() == [3, 8]
    assert [math.isnan(value) for value in found.tolist()] == [False, True, False, True]
