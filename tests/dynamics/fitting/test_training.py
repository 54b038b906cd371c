import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, Fitted, fit
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting import training
from offline_envs.dynamics.fitting.fit_state import STATE_FILE, FitState, set_learning_rate
from offline_envs.dynamics.fitting.report import FitReport
from offline_envs.dynamics.fitting.rows import Rows, split_rows, standardize_targets
from offline_envs.dynamics.fitting.schedules import cosine
from offline_envs.errors import CheckpointError, DatasetError, OfflineEnvsError
from offline_envs.kernels.rounding import HIDDEN_DTYPES
from tests.dynamics.linear_data import NOISE, QUICK, TINY, linear_transitions


def tiny_fit(**changes: Any) -> Fitted:
    return fit(linear_transitions(), TINY, fit_settings=QUICK, progress=False, **changes)


def assert_same_weights(a: EnsembleDynamics, b: EnsembleDynamics) -> None:
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name]), name


@pytest.mark.filterwarnings("ignore:precision=")  # not every processor has bfloat16
@pytest.mark.parametrize("precision", HIDDEN_DTYPES)
@pytest.mark.parametrize("probabilistic", [True, False])
def test_fit_finds_mean_and_noise_of_a_linear_system(probabilistic: bool, precision: str) -> None:
    settings = EnsembleSettings(n_members=2, n_elites=1, hidden=(32,), probabilistic=probabilistic)
    fit_settings = FitSettings(
        learning_rate=3e-3,
        weight_decay=(0.0,),
        max_epochs=30,
        patience=30,
        improvement=0.0,
        batch_size=128,
        precision=precision,
    )
    data = linear_transitions(4000)
    ensemble, report = fit(data, settings, fit_settings=fit_settings, progress=False)
    obs, action = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.4]])
    mean, std = ensemble.predict(obs, action)
    torch.testing.assert_close(mean, torch.tensor([[[0.5, 0.4, 0.5]]] * 2), atol=0.1, rtol=0)
    if probabilistic:
        torch.testing.assert_close(std, torch.tensor([[NOISE]] * 2), rtol=0.2, atol=0)
    variance = torch.cat([data.rewards[:, None], data.next_obs - data.obs], dim=1).var(dim=0)
    floor = torch.tensor(NOISE).square() / variance
    assert all(0.7 * floor.mean() < mse < 1.3 * floor.mean() for mse in report.holdout_mse)
    torch.testing.assert_close(torch.tensor(report.unexplained), floor, rtol=0.3, atol=0.0)


@pytest.mark.filterwarnings("ignore:precision=")
@pytest.mark.parametrize("precision", HIDDEN_DTYPES)
def test_equal_arguments_give_equal_weights_and_no_global_randomness(precision: str) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    settings = replace(QUICK, precision=precision)
    first, second = (
        fit(linear_transitions(), TINY, fit_settings=settings, progress=False).ensemble for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_weights(first, second)
    assert all(value.dtype == torch.float32 for value in first.parameters())


def test_report_holds_the_course_of_the_fit() -> None:
    ensemble, report = tiny_fit()
    assert (report.epochs, report.stopped_by) == (3, "max_epochs")
    assert (report.n_train, report.n_holdout) == (320, 80)
    assert len(report.train_loss) == len(report.holdout_history) == 3
    assert (
        list(report.elites)
        == ensemble.elites.tolist()
        == sorted(range(3), key=report.holdout_mse.__getitem__)[:2]
    )
    assert FitReport.from_json(report.to_json()) == report


def test_members_are_scored_as_they_are_returned() -> None:
    raw = replace(QUICK, standardize_targets=False)
    ensemble, report = fit(linear_transitions(), TINY, fit_settings=raw, progress=False)
    state = split_rows(
        linear_transitions(), ensemble.normalizer, fit_settings=QUICK, device=torch.device("cpu")
    )
    assert training._holdout_mse(ensemble, state) == list(report.holdout_mse)


@pytest.mark.parametrize("probabilistic", [True, False])
def test_units_change_nothing_but_the_units(probabilistic: bool) -> None:
    """Factors of two round alike, so the fits are the same to the last bit until their heads are rescaled."""
    data, settings = linear_transitions(), replace(TINY, probabilistic=probabilistic)
    reward, columns = 2.0**-13, torch.tensor([2.0**20, 1.0])
    other = replace(
        data, rewards=data.rewards * reward, obs=data.obs * columns, next_obs=data.next_obs * columns
    )
    plain, scaled = (fit(d, settings, fit_settings=QUICK, progress=False) for d in (data, other))
    assert plain.report.holdout_history == scaled.report.holdout_history
    found = scaled.ensemble.predict(other.obs, other.actions)
    expected = plain.ensemble.predict(data.obs, data.actions)
    factors = torch.tensor([reward, *columns.tolist()])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours / factors, theirs, rtol=1e-5, atol=1e-6)


def test_raw_targets_are_those_of_the_papers_releases() -> None:
    """With targets of mean 0 and deviation 1 there is nothing to standardise."""
    data = linear_transitions()
    rows = split_rows(data, Normalizer(3), fit_settings=QUICK, device=torch.device("cpu"))
    before = rows.train.clone()
    scaler = standardize_targets(rows)
    torch.testing.assert_close(rows.train[:, 3:].mean(dim=0), torch.zeros(3), rtol=0, atol=1e-6)
    torch.testing.assert_close(rows.train[:, 3:] * scaler.std + scaler.mean, before[:, 3:])
    assert torch.equal(rows.train[:, :3], before[:, :3])


def test_an_output_that_is_predicted_worse_than_its_mean_is_named() -> None:
    """Raw targets a million times too small for the smallest deviation that can be predicted."""
    data = linear_transitions()
    tiny = replace(data, rewards=data.rewards * 1e-6)
    raw = replace(QUICK, standardize_targets=False)
    with pytest.warns(UserWarning, match=r"predicts reward \(.*\) worse than the mean"):
        report = fit(tiny, TINY, fit_settings=raw, progress=False).report
    assert report.unexplained[0] > 100


def record(state: FitState, *errors: float) -> None:
    state.record(0.0, errors)


def test_best_snapshot_of_each_member_and_patience() -> None:
    settings = EnsembleSettings(n_members=2, n_elites=2, hidden=(3,))
    state = FitState(EnsembleDynamics(1, 1, settings=settings), FitSettings(patience=2))
    weight = state.ensemble.get_parameter("trunk.0.weight")
    with torch.no_grad():
        weight.fill_(1.0)
        record(state, 1.0, 2.0)
        weight.fill_(2.0)
        record(state, 1.5, 1.0)  # Only the second member improves.
        weight.fill_(3.0)
        record(state, 0.995, 0.995)  # Less than 1 %: nobody improves.
        assert (state.dry_epochs, state.stopped_by) == (1, "")
        record(state, math.nan, 1.0)
        assert (state.dry_epochs, state.stopped_by) == (2, "patience")
        state.restore_best()
    assert weight[0].unique().tolist() == [1.0]
    assert weight[1].unique().tolist() == [2.0]
    assert state.best_mse == [1.0, 1.0]


def test_a_cosine_runs_to_its_end_without_improving() -> None:
    settings = EnsembleSettings(n_members=1, n_elites=1, hidden=(3,))
    fit_settings = FitSettings(patience=2, schedule="cosine", max_epochs=5)
    state = FitState(EnsembleDynamics(1, 1, settings=settings), fit_settings)
    for _ in range(4):
        record(state, 1.0)
    assert (state.dry_epochs, state.stopped_by) == (3, "")
    record(state, 1.0)
    assert state.stopped_by == "max_epochs"


class InterruptAt:
    """Raises `KeyboardInterrupt` at the n-th gradient step."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.gathered = Rows.batch

    def __call__(self, rows: Rows, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.gathered(rows, index)


@pytest.mark.filterwarnings("ignore:With spectral_bound")
@pytest.mark.parametrize("step", [0, 3, 5, 7, 14])  # An epoch has 5 steps.
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_interrupted_and_resumed_fit_equals_an_uninterrupted_one(
    step: int, spectral_norm: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(16, 16), spectral_norm=spectral_norm)

    def run() -> Fitted:
        return fit(linear_transitions(), settings, fit_settings=QUICK, progress=False, folder=tmp_path)

    interrupt = InterruptAt(step)
    with monkeypatch.context() as patch:
        patch.setattr(Rows, "batch", lambda rows, index: interrupt(rows, index))
        with pytest.raises(KeyboardInterrupt):
            run()
    assert (tmp_path / STATE_FILE).exists() == (step >= 5)
    resumed = run()
    whole = fit(linear_transitions(), settings, fit_settings=QUICK, progress=False)
    assert_same_weights(resumed.ensemble, whole.ensemble)
    assert resumed.report.holdout_history == whole.report.holdout_history
    assert resumed.report.train_loss == whole.report.train_loss
    assert_same_weights(run().ensemble, whole.ensemble)  # A finished fit is not fitted again.


def test_an_interrupted_cosine_resumes_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_settings = replace(QUICK, schedule="cosine", max_epochs=3)
    rates: list[float] = []

    def noted(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
        rates.append(learning_rate)
        set_learning_rate(optimizer, learning_rate)

    def run(folder: Path | None) -> Fitted:
        return fit(linear_transitions(), TINY, fit_settings=fit_settings, progress=False, folder=folder)

    monkeypatch.setattr(training, "set_learning_rate", noted)
    whole = run(None)
    n_steps = 3 * math.ceil(320 / QUICK.batch_size)
    expected = [QUICK.learning_rate * cosine(step, n_steps) for step in range(n_steps)]
    assert rates == pytest.approx(expected)
    interrupt = InterruptAt(n_steps // 3 + 2)
    with monkeypatch.context() as patch:
        patch.setattr(Rows, "batch", lambda rows, index: interrupt(rows, index))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert_same_weights(run(tmp_path).ensemble, whole.ensemble)


def test_state_of_another_fit_is_refused(tmp_path: Path) -> None:
    tiny_fit(folder=tmp_path)
    with pytest.raises(CheckpointError, match="other fit settings"):
        fit(linear_transitions(), TINY, progress=False, folder=tmp_path)
    with pytest.raises(CheckpointError, match="other dataset"):
        fit(linear_transitions(seed=1), TINY, fit_settings=QUICK, progress=False, folder=tmp_path)


def test_damaged_state_is_refused(tmp_path: Path) -> None:
    tiny_fit(folder=tmp_path)
    path = tmp_path / STATE_FILE
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(CheckpointError, match=r"truncated.* Delete it to fit again"):
        tiny_fit(folder=tmp_path)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="altered"):
        tiny_fit(folder=tmp_path)


def test_a_fit_that_diverges_says_so() -> None:
    with pytest.raises(OfflineEnvsError, match="learning_rate below 1e\\+30"):
        fit(
            linear_transitions(),
            TINY,
            fit_settings=FitSettings(learning_rate=1e30, max_epochs=5, batch_size=32),
            progress=False,
        )


def test_too_few_rows_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least 50 transitions"):
        fit(linear_transitions(49), folder=tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def test_progress_prints_lines_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    fit(linear_transitions(), TINY, fit_settings=QUICK)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Epoch 3: train NLL" in err
    tiny_fit()
    assert capfd.readouterr().err == ""
