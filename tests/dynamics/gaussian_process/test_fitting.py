"""The fit of a Gaussian process, beside gpytorch, known functions, and itself after an interruption."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.dynamics import (
    GaussianProcessSettings,
    Holdout,
    cache_entries,
    fit_gaussian_process,
    fitted_gaussian_process,
    gaussian_process_folder,
    read_model_card,
    save_model,
    split_index,
)
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.errors import CheckpointError, DatasetError, OfflineEnvsError, SettingsError
from offline_envs.files import read_tensors
from tests.dynamics.linear_data import NOISE, linear_transitions

pytest.importorskip("gpytorch", reason="fits need the extra gp", exc_type=ImportError)

QUICK = GaussianProcessSettings(steps=5)
SPARSE = replace(QUICK, max_exact_rows=100, n_inducing=20, likelihood_rows=120)
DATA = linear_transitions(250)


@pytest.mark.parametrize(
    "settings",
    [GaussianProcessSettings(steps=40), GaussianProcessSettings(steps=40, max_exact_rows=0, n_inducing=30)],
    ids=["exact", "sparse"],
)
def test_it_learns_a_known_function_and_its_noise(settings: GaussianProcessSettings) -> None:
    process, report = fit_gaussian_process(DATA, settings, progress=False)
    other = linear_transitions(200, seed=1)
    mean = process.predict(other.obs, other.actions).mean[0]
    true = torch.stack([other.obs[:, 0], other.actions[:, 0], -other.obs[:, 1] / 2], dim=1)
    error = (mean - true).square().mean(dim=0).sqrt()
    assert (error < 0.5 * torch.tensor(NOISE)).all()
    np.testing.assert_allclose(process.noise_std, NOISE, rtol=0.2)
    assert process.exact is (settings.max_exact_rows > 0)
    assert (report.n_train, report.n_holdout, report.elites) == (200, 50, (0,))
    assert len(report.train_loss) == report.epochs == settings.steps
    assert report.train_loss[-1] < report.train_loss[0]
    assert max(report.unexplained) < 0.4


def test_the_loss_is_the_negative_log_marginal_likelihood() -> None:
    """At the first step every hyperparameter is known, so NumPy gives the density of all rows."""
    _, report = fit_gaussian_process(DATA, replace(QUICK, steps=1), progress=False)
    train, _ = split_index(len(DATA), FitSettings())
    inputs = torch.cat([DATA.obs, DATA.actions], dim=1)[train].double().numpy()
    targets = torch.cat([DATA.rewards[:, None], DATA.next_obs - DATA.obs], dim=1)[train].double().numpy()
    x, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (inputs, targets))
    distance = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    noisy = np.exp(-0.5 * distance / 3) + 0.1 * np.eye(len(x))  # squared length scales of 3 inputs are 3
    fit = (y * np.linalg.solve(noisy, y)).sum(axis=0).mean()
    expected = 0.5 * (fit + np.linalg.slogdet(noisy)[1]) / len(x) + 0.5 * np.log(2 * np.pi)
    assert report.train_loss[0] == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_process() -> None:
    first, again, other = (
        fit_gaussian_process(DATA, replace(SPARSE, seed=seed), progress=False).process.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["weights"], other["weights"])


@pytest.mark.parametrize(("n_rows", "exact"), [(100, True), (101, False), (None, False)])
def test_more_rows_than_an_exact_process_takes_make_it_sparse(n_rows: int | None, exact: bool) -> None:
    process, report = fit_gaussian_process(DATA, replace(SPARSE, n_rows=n_rows, steps=2), progress=False)
    assert process.exact is exact
    assert process.points.shape == ((1, 100, 3) if exact else (3, 20, 3))
    assert report.n_train == (n_rows or 200)


def stop_at(output: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt the fit when it begins with an output."""
    from offline_envs.dynamics.gaussian_process import likelihood

    tune, calls = likelihood.tune, iter(range(100))

    def stopped(*arguments: Any, **options: Any) -> Any:
        if next(calls) == output:
            raise KeyboardInterrupt
        return tune(*arguments, **options)

    monkeypatch.setattr(likelihood, "tune", stopped)


@pytest.mark.parametrize("settings", [QUICK, SPARSE], ids=["exact", "sparse"])
def test_an_interrupted_fit_resumes(
    settings: GaussianProcessSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = fit_gaussian_process(DATA, settings, progress=False)
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        with pytest.raises(KeyboardInterrupt):
            fit_gaussian_process(DATA, settings, progress=False, folder=tmp_path)
    with monkeypatch.context() as patch:
        stop_at(1, patch)  # one output is left
        resumed, report = fit_gaussian_process(DATA, settings, progress=False, folder=tmp_path)
    assert all(torch.equal(a, whole.state_dict()[name]) for name, a in resumed.state_dict().items())
    assert report.train_loss == expected.train_loss
    tensors, _ = read_tensors(next(tmp_path.iterdir()))
    assert report.seconds > float(tensors["seconds"].sum()) > 0  # of both sessions
    with pytest.raises(CheckpointError, match="belongs to a fit with other fit settings"):
        fit_gaussian_process(DATA, replace(settings, seed=3), progress=False, folder=tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="Delete it to fit again"):
        fit_gaussian_process(DATA, settings, progress=False, folder=tmp_path)


def test_an_interrupted_fit_is_cached_listed_and_finished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        with pytest.raises(KeyboardInterrupt):
            fitted_gaussian_process(DATA, QUICK, cache_dir=tmp_path, progress=False)
    [entry] = cache_entries(tmp_path)
    assert (entry.kind, entry.settings) == ("interrupted fit", "steps=5, 2 outputs done")
    process = fitted_gaussian_process(DATA, QUICK, cache_dir=tmp_path, progress=False)
    [entry] = [entry for entry in cache_entries(tmp_path) if entry.kind != "leftover"]
    assert (entry.kind, entry.dataset, entry.settings) == ("Gaussian process", "linear", "steps=5")
    assert entry.path == gaussian_process_folder(DATA, QUICK, cache_dir=tmp_path)
    assert fitted_gaussian_process(DATA, QUICK, cache_dir=tmp_path, progress=False) is process
    other = gaussian_process_folder(DATA, replace(QUICK, seed=1), cache_dir=tmp_path)
    entry.path.rename(other)
    with pytest.raises(CheckpointError, match=r"fit settings.*Delete .* to compute it again"):
        fitted_gaussian_process(DATA, replace(QUICK, seed=1), cache_dir=tmp_path, progress=False)


def test_constant_columns_are_predicted_without_noise() -> None:
    data = linear_transitions(200)
    constant = replace(
        data,
        obs=torch.cat([data.obs, torch.full((200, 1), 3.0)], dim=1),
        next_obs=torch.cat([data.next_obs, torch.full((200, 1), 3.0)], dim=1),
    )
    process, report = fit_gaussian_process(constant, QUICK, progress=False)
    prediction = process.predict(constant.obs[:5], constant.actions[:5])
    np.testing.assert_allclose(prediction.mean[0, :, 3], 0.0, atol=1e-6)
    assert prediction.std[0, :, 3].max() < 1e-5
    assert report.unexplained[3] == 0
    assert prediction.std[0, :, :3].min() > 0.05


def test_diagnosis_finds_the_holdout_on_the_card(tmp_path: Path) -> None:
    settings = replace(QUICK, holdout=30, seed=5, steps=1)
    process, report = fit_gaussian_process(DATA, settings, progress=False)
    save_model(tmp_path / "gp", process, transitions=DATA, fit_settings=settings, report=report)
    found = Holdout.of(DATA, read_model_card(tmp_path / "gp"), seed=0)
    assert found.reason is None
    assert torch.equal(found.rows, split_index(len(DATA), FitSettings(holdout=30, seed=5))[1])


def test_without_gpytorch_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "offline_envs.dynamics.gaussian_process.likelihood", raising=False)
    monkeypatch.setitem(sys.modules, "gpytorch", None)
    with pytest.raises(OfflineEnvsError, match=r"pip install 'offline-envs\[gp\]'"):
        fit_gaussian_process(DATA, QUICK, progress=False)


def test_bad_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="at least 50 transitions"):
        fit_gaussian_process(linear_transitions(49), QUICK, progress=False)
    for changes, message in (
        ({"n_rows": 0}, "n_rows must be at least 1 or None, got 0"),
        ({"max_exact_rows": 20_000}, r"max_exact_rows must lie in 0\.\.10000, got 20000.*sparse"),
        ({"n_inducing": 0}, "n_inducing must be positive, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"seed": -1}, "seed must lie in"),
    ):
        with pytest.raises(SettingsError, match=message):
            GaussianProcessSettings(**changes)


def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    fit_gaussian_process(DATA, replace(QUICK, steps=1))
    assert "Output 3 of 3: negative log marginal likelihood" in capsys.readouterr().err
