import pytest
import torch

from offline_envs.data import load_transitions
from offline_envs.dynamics import FitSettings
from tests.benchmarks.test_benchmarks import cells, script


def test_a_short_fit_beats_the_mean_and_knows_its_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = script("fit_to_error", monkeypatch)
    settings = '{"max_epochs": 2, "learning_rate": 0.004, "schedule": "cosine"}'
    benchmark.main(settings=settings, seeds=1, threads=0)
    (row,) = cells(capsys.readouterr().out)
    data = load_transitions(benchmark.EMBEDDED)
    variance = torch.cat([data.rewards[:, None], data.next_obs - data.obs], dim=1).var(dim=0).mean()
    assert (row[0], row[1]) == ("offline-envs, seed 0", "2")
    assert 0 < float(row[3]) < 0.9 * variance.item()
    assert 50 < float(row[5].rstrip("%")) < 90 < float(row[6].rstrip("%"))


def test_scores_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four errors lie within 0.67 deviations, three within 1.64."""
    benchmark = script("fit_to_error", monkeypatch)
    rows = benchmark.Rows(torch.zeros(0, 3), torch.tensor([[0.0, 0.5, -0.6], [0.0, 1.0, 2.0]]), 1)

    def predict(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(5, 2, 2), torch.zeros(5, 2, 2)

    fit = benchmark.scored("name", 1, 2.0, predict, rows)
    assert fit.mse == pytest.approx((0.25 + 0.36 + 1 + 4) / 4)
    assert fit.nll == pytest.approx((0.25 + 0.36 + 1 + 4) / 4)
    assert (fit.inside_half, fit.inside_most) == (0.5, 0.75)


def test_seeds_hold_out_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("fit_to_error", monkeypatch)
    data = load_transitions(benchmark.EMBEDDED)
    first, second = (benchmark.split(data, FitSettings(seed=seed)).holdout for seed in (0, 1))
    assert first.shape == second.shape == (1000, 9 + 1 + 1 + 9)
    assert not torch.equal(first, second)
