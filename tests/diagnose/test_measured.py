import pytest
import torch

from offline_envs.diagnose import measured
from offline_envs.diagnose.calibration import Calibration
from offline_envs.diagnose.measured import doubt, judge, usable_measures
from offline_envs.dynamics import MEASURES, EnsembleDynamics, EnsembleSettings
from tests.toy import PENALTIES, toy_ensemble


@pytest.mark.parametrize("members", ["all", "elites"])
def test_every_measure_is_that_of_the_penalised_environment(
    members: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "CHUNK", 2)
    found = doubt(toy_ensemble(), torch.zeros(3, 2), torch.zeros(3, 1), members=members, scale=torch.ones(2))
    for name, values in found.uncertainty.items():
        assert values.tolist() == pytest.approx([PENALTIES[name, members]] * 3)
    assert found.disagreement.tolist() == pytest.approx([PENALTIES["max_disagreement", "all"]] * 3)


def test_the_error_is_that_of_the_elites_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The elites predict (−1.5, 0) and (1.5, 0): on average nothing moves. They pay 4 ± 1 and 1 ± 1."""
    monkeypatch.setattr(measured, "CHUNK", 2)
    obs, move = torch.tensor([[0.0, 0], [1, 1], [2, 2]]), torch.tensor([[3.0, 4], [0, 1], [0, 0]])
    found = judge(toy_ensemble(), obs, torch.zeros(3, 1), torch.tensor([2.5, 4, 1]), obs + move)
    assert found.error.tolist() == [5, 1, 0]
    assert found.quantile is not None
    assert found.quantile[0, 0].item() == pytest.approx(0.5)
    assert found.quantile[1, 0].item() == pytest.approx((0.5 + 0.9986501) / 2)  # Φ(0) and Φ(3)


def test_measures_that_are_zero_everywhere_are_left_out() -> None:
    plain = EnsembleDynamics(2, 1, settings=EnsembleSettings(probabilistic=False, hidden=(4,)))
    assert usable_measures(plain, 7) == ["max_deviation", "max_disagreement", "ensemble_std"]
    assert usable_measures(toy_ensemble(), 1) == ["max_std"]
    found = judge(plain, torch.zeros(2, 2), torch.zeros(2, 1), torch.zeros(2), torch.zeros(2, 2))
    assert found.quantile is None


def test_calibration_of_members_that_say_the_same_everywhere() -> None:
    ensemble, obs = toy_ensemble(), torch.zeros(20, 2)
    unsure = doubt(ensemble, obs, torch.zeros(20, 1), members="all", scale=torch.ones(2))
    true = judge(ensemble, obs, torch.zeros(20, 1), torch.zeros(20), obs + torch.arange(20.0)[:, None])
    found = Calibration.of("toy", unsure, true)
    assert (found.n, found.best) == (20, None)
    assert found.error == pytest.approx(9.5 * 2**0.5)
    assert [row["n"] for row in found.bin_rows()] == [2] * 10 * len(MEASURES)
    assert [row["dimension"] for row in found.interval_rows()] == ["reward", "obs 0", "obs 1", "all"]
