import json
from pathlib import Path

import numpy as np
import pytest
import torch

from offline_envs.dynamics import (
    DELTA,
    DISAGREEMENTS,
    Disagreement,
    DisagreementStats,
    EnsembleDynamics,
    EnsembleSettings,
    dataset_disagreement,
    disagreement_stats,
    store,
)
from offline_envs.dynamics.uncertainty import over_data
from offline_envs.errors import CheckpointError, SettingsError
from tests.toy import toy_ensemble, toy_transitions


def random_ensemble(seed: int = 0) -> EnsembleDynamics:
    settings = EnsembleSettings(n_members=4, n_elites=2, hidden=(8,))
    return EnsembleDynamics(2, 1, settings=settings, seed=seed).requires_grad_(False)


@pytest.mark.parametrize(
    ("members", "units", "expected"),
    [
        ("all", "raw", 38.25**0.5),  # members 0 and 1 are (1.5, −6) apart
        ("elites", "raw", 3.0),
        ("all", "std", (38.25 * 1.5) ** 0.5),  # the observations' variances are 2/3
        ("elites", "std", 3 * 1.5**0.5),
    ],
)
def test_toy_members_are_as_far_apart_as_by_hand(members: str, units: str, expected: float) -> None:
    found = dataset_disagreement(toy_ensemble(), toy_transitions(), members=members, units=units)
    np.testing.assert_allclose(found, np.full(9, expected), rtol=1e-6)


def test_a_comparison_is_announced_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes long for many rows, and a silent command seems to hang."""
    said = []
    for folder, progress in (("a", True), ("a", True), ("b", False)):
        disagreement_stats(
            random_ensemble(), toy_transitions(), cache_dir=tmp_path / folder, progress=progress
        )
        said.append(capsys.readouterr())
    assert [found.err for found in said] == ["Comparing members on 9 transitions …\n", "", ""]
    assert not any(found.out for found in said)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dataset_disagreement(random_ensemble(), toy_transitions())
    monkeypatch.setattr(over_data, "CHUNK", 2)
    np.testing.assert_allclose(dataset_disagreement(random_ensemble(), toy_transitions()), whole, rtol=1e-5)
    assert len(set(whole.tolist())) == 9


def test_statistics_by_hand_and_through_json() -> None:
    stats = DisagreementStats.of(np.array([0.0, 1.0, 5.0], np.float32))
    assert (stats.n, stats.mean, stats.max, stats.quantile(0.5)) == (3, 2.0, 5.0, 1.0)
    assert stats.std == pytest.approx((14 / 3) ** 0.5)  # deviations 2, 1 and 3
    assert stats.share_above(5.0) == 0.0
    assert stats.share_above(1.0) == pytest.approx(0.5)  # interpolated between the three
    assert DisagreementStats.from_json(json.loads(json.dumps(stats.to_json()))) == stats


def test_statistics_are_computed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []

    def counted(*arguments: object, **options: object) -> object:
        calls.append(options)
        return dataset_disagreement(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "dataset_disagreement", counted)
    first = disagreement_stats(random_ensemble(), toy_transitions(), cache_dir=tmp_path)
    assert disagreement_stats(random_ensemble(), toy_transitions(), cache_dir=tmp_path) == first
    assert len(calls) == 1
    for members, units in (("elites", "std"), ("all", "raw")):
        disagreement_stats(
            random_ensemble(), toy_transitions(), members=members, units=units, cache_dir=tmp_path
        )
    assert len(calls) == 3
    disagreement_stats(random_ensemble(), toy_transitions(), disagreement="std", cache_dir=tmp_path)
    assert len(calls) == 4
    assert len(list(tmp_path.rglob("*.json"))) == 4


def test_a_disagreement_of_ones_own_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code may change under the same name, and a threshold of the old one would halt other steps."""
    for size in (1.0, 2.0):

        def own(means: torch.Tensor, size: float = size) -> torch.Tensor:
            return torch.full((means.shape[1],), size)

        monkeypatch.setitem(DISAGREEMENTS._entries, "tests/own", Disagreement(own, DELTA, "a constant"))
        stats = disagreement_stats(
            random_ensemble(), toy_transitions(), disagreement="tests/own", cache_dir=tmp_path
        )
        assert stats.mean == size
    assert list(tmp_path.rglob("*.json")) == []


def test_other_weights_have_other_statistics(tmp_path: Path) -> None:
    """An ensemble that continues to learn must not be judged by its earlier weights."""
    ensemble = random_ensemble()
    first = disagreement_stats(ensemble, toy_transitions(), cache_dir=tmp_path)
    ensemble.heads[0].bias[0] += 1.0  # type: ignore[index, operator]
    assert disagreement_stats(ensemble, toy_transitions(), cache_dir=tmp_path) != first


def test_damaged_file_is_named(tmp_path: Path) -> None:
    disagreement_stats(random_ensemble(), toy_transitions(), cache_dir=tmp_path)
    (path,) = tmp_path.rglob("*.json")
    path.write_text('{"n": 3}')
    with pytest.raises(CheckpointError, match=rf"{path} has no checksum: .* Delete"):
        disagreement_stats(random_ensemble(), toy_transitions(), cache_dir=tmp_path)


def test_what_cannot_be_compared_is_refused() -> None:
    single = toy_ensemble(((1.0, 1.0, 0.0),), ((1.0,) * 3,), (0,))
    with pytest.raises(SettingsError, match="at least two members"):
        dataset_disagreement(single, toy_transitions())
    with pytest.raises(SettingsError, match="at least two members"):
        dataset_disagreement(toy_ensemble(elites=(1,)), toy_transitions(), members="elites")
    with pytest.raises(SettingsError, match=r"Unknown members 'some'\. Valid: all, elites"):
        dataset_disagreement(toy_ensemble(), toy_transitions(), members="some")
    broken = toy_ensemble(((0.0, torch.nan, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    with pytest.raises(SettingsError, match="must be finite on its dataset, got 9 of 9"):
        disagreement_stats(broken, toy_transitions())
