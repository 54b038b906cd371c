from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.data import Transitions
from offline_envs.dynamics import MEASURES, EnsembleSettings, Measure, Prediction
from offline_envs.errors import SettingsError
from offline_envs.mdp import Step
from offline_envs.methods import Penalize, Penalty, penalty_unit
from tests.methods.rows import changed, half
from tests.toy import MEANS, STDS, spreading_ensemble, toy_ensemble, toy_transitions

HALF = Measure(half)


def test_subtracts_coefficient_times_uncertainty_but_not_from_exploded_rows() -> None:
    exploded = torch.tensor([False, True, False])
    step = Step.of_model(torch.zeros(3, 2), torch.tensor([1.0, -9.0, 3.0]), exploded, exploded)
    std = torch.tensor([2.0, torch.nan, 6.0])[None, :, None].expand(1, 3, 3)
    prediction = Prediction(torch.zeros(1, 3, 3), std)
    penalised = changed(Penalize(10.0, HALF), step, prediction)
    assert penalised.penalty.tolist() == [10.0, 0.0, 30.0]
    assert penalised.reward.tolist() == [-9.0, -9.0, -27.0]
    assert penalised.raw_reward.tolist() == [1.0, -9.0, 3.0]
    twice = changed(Penalize(1.0, HALF), penalised, prediction)
    assert twice.penalty.tolist() == [11.0, 0.0, 33.0]
    assert twice.reward.tolist() == [-10.0, -9.0, -30.0]


def test_settings_are_checked_when_they_are_made() -> None:
    for values, message in (
        ({"penalty_coef": -1.0}, "penalty_coef must be 0 or more, got -1.0"),
        ({"penalty_coef": float("inf")}, "penalty_coef must be finite, got inf"),
        ({"penalty_coef": "1"}, "penalty_coef must be of type float, got '1'"),
        ({"penalty": "variance"}, "Unknown penalty 'variance'. Valid: ensemble_std, max_deviation"),
        ({"penalty_scale": "mean"}, "Unknown penalty_scale 'mean'. Valid: data, raw, reward"),
        ({"penalty_members": "some"}, "Unknown penalty_members 'some'. Valid: all, elites"),
    ):
        with pytest.raises(SettingsError, match=message.replace(".", r"\.")):
            Penalty.from_json(values)


def rescaled(factor: float) -> tuple[Any, Transitions]:
    """Toy members and data with rewards and observations in other units."""
    means, stds = ([[factor * x for x in row] for row in rows] for rows in (MEANS, STDS))
    toy = toy_transitions()
    data = replace(toy, obs=factor * toy.obs, next_obs=factor * toy.next_obs, rewards=factor * toy.rewards)
    return toy_ensemble(means, stds), data


@pytest.mark.parametrize("penalty", MEASURES)
def test_the_steps_of_the_data_cost_lambda_on_average(penalty: str, tmp_path: Path) -> None:
    """And so they do in other units, where the measure alone is as many times larger."""
    for factor in (1.0, 1000.0):
        model, data = rescaled(factor)
        method = Penalty(0.3, penalty, penalty_scale="data")
        penalize = method.transform(model, data, cache_dir=tmp_path, progress=False)
        no = torch.zeros(len(data), dtype=torch.bool)
        costs = penalize.penalty(model.predict(data.obs, data.actions), no)
        assert float(costs.mean()) == pytest.approx(0.3, rel=1e-6)


def test_a_coefficient_in_units_of_the_data_is_another_raw_one(tmp_path: Path) -> None:
    """Members are 0, 1 and 2 apart on the data, on average 1; twice as far, λ is half as much."""
    far = toy_ensemble(((0.0, 0.0, 0.0), (0.0, 2.0, 0.0)), ((1.0,) * 3,) * 2, (0, 1))
    for model, unit in ((spreading_ensemble(), 1.0), (far, 2.0)):
        method = Penalty(0.5, "max_disagreement", penalty_scale="data")
        found = method.transform(model, toy_transitions(), cache_dir=tmp_path, progress=False)
        assert found.coef == pytest.approx(Penalty(0.5 / unit, "max_disagreement").penalize().coef, rel=1e-6)


@pytest.mark.parametrize("penalty", MEASURES)
def test_the_steps_of_the_data_cost_a_share_of_their_rewards(penalty: str, tmp_path: Path) -> None:
    """Whatever the units of the observations, and of the rewards, some of which are negative here."""
    for factor in (1.0, 1000.0):
        model, data = rescaled(factor)
        data = replace(data, rewards=torch.where(torch.arange(len(data)) % 2 == 0, -5.0, 1.0) * factor)
        method = Penalty(0.2, penalty, penalty_scale="reward")
        penalize = method.transform(model, data, cache_dir=tmp_path / str(factor), progress=False)
        no = torch.zeros(len(data), dtype=torch.bool)
        costs = penalize.penalty(model.predict(data.obs, data.actions), no)
        assert float(costs.mean()) == pytest.approx(0.2 * float(data.rewards.abs().mean()), rel=1e-6)


def test_rewards_that_are_all_0_set_no_unit(tmp_path: Path) -> None:
    data = replace(toy_transitions(), rewards=torch.zeros(len(toy_transitions())))
    method = Penalty(0.2, "max_disagreement", penalty_scale="reward")
    with pytest.raises(SettingsError, match=r"all its rewards are 0\. Use penalty_scale='data' or 'raw'"):
        method.transform(spreading_ensemble(), data, cache_dir=tmp_path, progress=False)


def test_rewards_that_are_all_0_are_refused_before_uncertainty_is_measured() -> None:
    data = replace(toy_transitions(), rewards=torch.zeros(len(toy_transitions())))
    with pytest.raises(SettingsError, match="all its rewards are 0"):
        penalty_unit("reward", lambda: pytest.fail("measured"), data)


def test_numpys_numbers_are_numbers() -> None:
    assert Penalty(np.float32(0.5)) == Penalty(0.5)  # type: ignore[arg-type]
    assert Penalty(2) == Penalty(2.0)


def test_a_measure_of_ones_own_says_itself_which_members_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not its name decides: two measures of variances are refused for deterministic members alike."""
    monkeypatch.setattr(MEASURES, "_entries", dict(MEASURES))  # for as long as the test
    MEASURES.register("tests/mean_std", Measure(half, needs_variance=True))
    deterministic = EnsembleSettings(probabilistic=False)
    for name in ("tests/mean_std", "max_std"):
        with pytest.raises(SettingsError, match=f"penalty='{name}' needs members that predict a variance"):
            Penalty(penalty=name).check(deterministic)
        Penalty(penalty=name).check(EnsembleSettings(n_members=1, n_elites=1))
    with pytest.raises(SettingsError, match="compares members, but a single one is measured"):
        Penalty(penalty="ensemble_std").check(EnsembleSettings(n_members=1, n_elites=1))
