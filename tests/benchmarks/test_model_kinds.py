"""The table of kinds of models, and its figures on predictions that are known."""

import math

import pytest
import torch

from offline_envs.dynamics import Prediction
from offline_envs.evaluation import DataScale
from tests.benchmarks.test_benchmarks import cells, numbers, script
from tests.toy import counting_ensemble, toy_transitions


def test_model_kinds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gpytorch", reason="fits need the extra gp", exc_type=ImportError)
    benchmark = script("model_kinds", monkeypatch)
    monkeypatch.setattr(benchmark, "steps_a_second", lambda model, data: 1.0)
    small = {"n_members": 2, "n_elites": 2, "hidden": (8,)}
    networks = {"D": {**small, "probabilistic": False}, "PE": small}
    monkeypatch.setattr(
        benchmark, "NETWORKS", {k: benchmark.EnsembleSettings(**settings) for k, settings in networks.items()}
    )
    benchmark.main(
        dataset=benchmark.EMBEDDED,
        epochs=1,
        exact_rows=40,
        exact_likelihood=40,
        inducing=10,
        steps=2,
        output=None,
        kind=None,
        starts=20,
        seed=0,
        threads=0,
    )
    rows = cells(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["D", "PE", "GP-exact", "GP-sparse"]
    assert all(len(row) == 10 for row in rows)
    assert all(math.isfinite(n) for row in rows for cell in row[1:] for n in numbers(["", *cell.split(", ")]))


def test_the_likelihood_of_a_mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the density at the centre of one of two Gaussians that are far apart: log 2 above its own."""
    benchmark = script("model_kinds", monkeypatch)
    apart = Prediction(torch.tensor([[[0.0]], [[1e3]]]), torch.ones(2, 1, 1))
    found = benchmark.mixture_nll(apart, torch.zeros(1, 1))
    assert float(found) == pytest.approx(0.5 * math.log(2 * math.pi) + math.log(2))


def test_kinds_without_variance_get_that_of_their_residuals(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("model_kinds", monkeypatch)
    predicted = Prediction(torch.tensor([[[1.0]], [[3.0]]]), torch.zeros(2, 1, 1))
    given = benchmark.with_variance(predicted, torch.tensor([[3.0], [-4.0]]), probabilistic=False)
    assert given.mean.tolist() == [[[2.0]]]
    assert given.std.item() == pytest.approx(12.5**0.5)
    assert benchmark.with_variance(predicted, torch.zeros(2, 1), probabilistic=True) is predicted


def test_open_loop_errors_of_a_known_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy data move by (1, 0), as the counting ensemble does; twice as fast is one off after one step."""
    benchmark = script("model_kinds", monkeypatch)
    monkeypatch.setattr(benchmark, "HORIZONS", (1, 3))
    data = toy_transitions()
    windows = benchmark.windows_of(data, 10, 0)
    assert windows[0].shape == (3, 4, 2)  # one window of three steps an episode
    scale = DataScale(torch.zeros(2), torch.ones(2), 0.0, 1.0)
    assert benchmark.open_loop(counting_ensemble(), windows, scale, None) == [0.0, 0.0]
    noisy = benchmark.open_loop(counting_ensemble(), windows, scale, torch.Generator().manual_seed(0))
    assert noisy == pytest.approx([0.0, 0.0], abs=1e-4)
    windows[0][:, 1:, 0] += torch.tensor([1.0, 2.0, 3.0])
    expected = [0.5**0.5, 3 * 0.5**0.5]  # root mean square over two dimensions
    assert benchmark.open_loop(counting_ensemble(), windows, scale, None) == pytest.approx(expected)
