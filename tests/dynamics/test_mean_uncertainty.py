from pathlib import Path

import numpy as np
import pytest
import torch

from offline_envs.dynamics import MEASURES, EnsembleDynamics, EnsembleSettings, Measure, mean_uncertainty
from offline_envs.dynamics.uncertainty import over_data
from offline_envs.errors import CheckpointError, SettingsError
from tests.toy import PENALTIES, spreading_ensemble, toy_ensemble, toy_transitions


def random_ensemble(seed: int = 0) -> EnsembleDynamics:
    settings = EnsembleSettings(n_members=4, n_elites=2, hidden=(8,))
    return EnsembleDynamics(2, 1, settings=settings, seed=seed).requires_grad_(False)


@pytest.mark.parametrize(("penalty", "members"), PENALTIES)
def test_constant_members_have_their_measure_as_mean(penalty: str, members: str, tmp_path: Path) -> None:
    found = mean_uncertainty(toy_ensemble(), toy_transitions(), penalty, members=members, cache_dir=tmp_path)
    assert found == pytest.approx(PENALTIES[penalty, members], rel=1e-6)


def test_mean_over_the_pairs_in_any_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members are obs₀ apart, which is 0, 1 and 2 in each of three episodes."""
    monkeypatch.setattr(over_data, "CHUNK", 2)
    found = mean_uncertainty(
        spreading_ensemble(), toy_transitions(), "max_disagreement", cache_dir=tmp_path, progress=False
    )
    assert found == pytest.approx(1.0, rel=1e-6)


def test_it_is_computed_once_for_weights_measure_and_members(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensemble, data = random_ensemble(), toy_transitions()
    means = [mean_uncertainty(ensemble, data, "max_std", cache_dir=tmp_path) for _ in range(2)]
    assert means[0] == means[1]
    assert capsys.readouterr().err == "Measuring max_std on 9 transitions …\n"
    for penalty, members in (("ensemble_std", "all"), ("max_std", "elites")):
        mean_uncertainty(ensemble, data, penalty, members=members, cache_dir=tmp_path)
    mean_uncertainty(random_ensemble(1), data, "max_std", cache_dir=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 4


def test_a_measure_of_ones_own_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code may change under the same name."""
    for size in (1.0, 2.0):

        def own(prediction: object, size: float = size) -> torch.Tensor:
            return torch.full((prediction.mean.shape[1],), size)  # type: ignore[attr-defined]

        monkeypatch.setitem(MEASURES._entries, "tests/own", Measure(own))
        assert mean_uncertainty(toy_ensemble(), toy_transitions(), "tests/own", cache_dir=tmp_path) == size
    assert list(tmp_path.rglob("*.json")) == []


def test_what_can_be_no_unit_is_refused(tmp_path: Path) -> None:
    agreeing = toy_ensemble(((1.0, 1.0, 0.0),) * 3)
    with pytest.raises(SettingsError, match=r"mean of ensemble_std .* must be above 0 .* got 0"):
        mean_uncertainty(agreeing, toy_transitions(), "ensemble_std", cache_dir=tmp_path)
    broken = toy_ensemble(((0.0, torch.nan, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    with pytest.raises(SettingsError, match="must be finite on its dataset, got 9 of 9"):
        mean_uncertainty(broken, toy_transitions(), "max_deviation", cache_dir=tmp_path)
    with pytest.raises(SettingsError, match="Unknown penalty 'std'"):
        mean_uncertainty(agreeing, toy_transitions(), "std", cache_dir=tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    mean_uncertainty(toy_ensemble(), toy_transitions(), "max_std", cache_dir=tmp_path)
    (path,) = tmp_path.rglob("*.json")
    path.write_text('{"mean": 3}')
    with pytest.raises(CheckpointError, match=f"{path} has no checksum"):
        mean_uncertainty(toy_ensemble(), toy_transitions(), "max_std", cache_dir=tmp_path)


def test_it_is_the_mean_of_float64_numbers(tmp_path: Path) -> None:
    """Against a plain loop over single pairs."""
    ensemble, data = random_ensemble(), toy_transitions()
    loop = [
        float(MEASURES["max_std"](ensemble.predict(o[None], a[None])))
        for o, a in zip(data.obs, data.actions, strict=True)
    ]
    found = mean_uncertainty(ensemble, data, "max_std", cache_dir=tmp_path)
    assert found == pytest.approx(float(np.mean(loop)), rel=1e-6)
