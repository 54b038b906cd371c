import pytest
import torch

from offline_envs.dynamics import MEASURES
from offline_envs.evaluation import (
    Calibration,
    PredictionError,
    Uncertainty,
    measure_uncertainty,
    prediction_error,
)
from tests.toy import toy_ensemble


def test_calibration_of_members_that_say_the_same_everywhere() -> None:
    ensemble, obs = toy_ensemble(), torch.zeros(20, 2)
    uncertainty = measure_uncertainty(ensemble, obs, torch.zeros(20, 1), members="all", scale=torch.ones(2))
    measured = prediction_error(
        ensemble, obs, torch.zeros(20, 1), torch.zeros(20), obs + torch.arange(20.0)[:, None]
    )
    found = Calibration.of(uncertainty, measured)
    assert (found.n, found.best) == (20, None)
    assert found.error == pytest.approx(9.5 * 2**0.5)
    assert {name: [b.n for b in bins] for name, bins in found.bins.items()} == {n: [2] * 10 for n in MEASURES}


def test_the_best_measure_ranks_errors_best() -> None:
    error = torch.tensor([1.0, 2, 3, 4])
    u = {"down": -error, "good": torch.tensor([1.0, 3, 2, 4]), "constant": torch.ones(4)}
    found = Calibration.of(Uncertainty(u, torch.ones(4)), PredictionError(error, None))
    assert found.best is not None
    assert found.best[0] == "good"
    assert found.best[1] == pytest.approx(0.8)
    assert found.correlation["down"] == pytest.approx(-1)
    assert found.correlation["constant"] is None
    assert found.overall() == {}


def test_rewards_of_another_kind_do_not_count() -> None:
    """The reward lies inside no interval, the one observation dimension inside all of them."""
    quantile = torch.tensor([[0.0, 0.5]], dtype=torch.float64)
    measured = PredictionError(torch.ones(1), quantile)
    nothing = Uncertainty({}, torch.ones(1))
    assert Calibration.of(nothing, measured).overall()[0.9] == 0.5
    alone = Calibration.of(nothing, measured, with_reward=False)
    assert alone.overall()[0.9] == 1
    assert alone.shares is not None
    assert alone.shares[:, 0].isnan().all()
