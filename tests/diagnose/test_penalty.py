from dataclasses import replace

import pytest
import torch

from offline_envs.diagnose.penalty import PenaltyReport, PenaltyScale, SourceScale
from offline_envs.diagnose.rollouts import dataset_steps
from offline_envs.evaluation import Uncertainty
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
    u = Uncertainty({"max_std": torch.tensor([1.0, 2, 100, 3])}, torch.zeros(4))
    found = SourceScale.of("toy", steps, u, horizon=2)
    assert (found.n, found.terminated, found.exploded) == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    scale = found.measures["max_std"]
    assert (scale.mean, scale.reward) == (2, pytest.approx(2 / 3))
    assert scale.high == pytest.approx(2.9)  # of 1, 2, 3, linear between ranks
    assert SourceScale.of("toy", steps, u).n == 4
    assert found.rows()[0]["mean u / mean |reward|"] == pytest.approx(3)


def test_advice_warns_of_a_heavy_tail_and_of_explosions() -> None:
    """Mean u is 0.2 of mean |reward|, so λ from 0.5 to 2.5; one step in twenty has six times the mean."""
    data = SourceScale("dataset steps", 10, {"max_std": PenaltyScale(0.1, 0.1, 1.0)}, 0.1, 0.0)
    for high, exploded, value, ends in (
        (0.3, 0.0, "0.5 to 2.5", "no prediction explodes"),
        (1.2, 0.2, "0.5 to 2.5, heavy tail", "predictions explode"),
    ):
        scale = SourceScale("toy", 10, {"max_std": PenaltyScale(0.2, high, 1.0)}, 0.3, exploded)
        found = PenaltyReport(data, {"toy": scale}, {}, "toy", 5).advice()
        assert [advice.value for advice in found] == [value, ends]
        assert [advice.warning for advice in found] == [exploded > 0] * 2
        assert "data 10.00%" in found[1].figures
        # The mean of u over the data is 0.1, so that each λ is a tenth of it in that unit.
        assert "With penalty_scale='data' it is 0.05 to 0.25" in found[0].why
        # And their mean |reward| is 1, so that the shares are the same.
        assert "with penalty_scale='reward' 0.05 to 0.25, in shares" in found[0].why
