import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.evaluation import chunks, measure_uncertainty, usable_measures
from tests.toy import PENALTIES, toy_ensemble


@pytest.mark.parametrize("members", ["all", "elites"])
def test_every_measure_is_that_of_the_penalised_environment(
    members: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    found = measure_uncertainty(
        toy_ensemble(), torch.zeros(3, 2), torch.zeros(3, 1), members=members, scale=torch.ones(2)
    )
    for name, values in found.by_measure.items():
        assert values.tolist() == pytest.approx([PENALTIES[name, members]] * 3)
    assert found.disagreement.tolist() == pytest.approx([PENALTIES["max_disagreement", "all"]] * 3)


def test_the_disagreement_is_the_chosen_one() -> None:
    """The variances of the members' means are 14/9, 3/2 and 8."""
    found = measure_uncertainty(
        toy_ensemble(),
        torch.zeros(3, 2),
        torch.zeros(3, 1),
        members="all",
        scale=torch.ones(3),
        disagreement="std",
    )
    assert found.disagreement.tolist() == pytest.approx([((14 / 9 + 1.5 + 8) / 3) ** 0.5] * 3)


def test_measures_that_are_zero_everywhere_are_left_out() -> None:
    plain = EnsembleDynamics(2, 1, settings=EnsembleSettings(probabilistic=False, hidden=(4,)))
    assert usable_measures(plain, 7) == ["max_deviation", "max_disagreement", "ensemble_std"]
    assert usable_measures(toy_ensemble(), 1) == ["max_std"]
