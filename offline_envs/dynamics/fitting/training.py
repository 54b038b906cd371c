"""`fit`: from transitions to an ensemble, as in MOPO (Yu et al. 2020, appendix D)."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from offline_envs.data import Transitions, output_names
from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.ensemble.spectral_norm import (
    add_spectral_norm,
    bake_spectral_norm,
    refine_spectral_norm,
)
from offline_envs.dynamics.ensemble.warm_start import check_initial, start_from
from offline_envs.dynamics.fitting.bootstrap import Bootstrap
from offline_envs.dynamics.fitting.fit_state import Capture, FitState, set_learning_rate
from offline_envs.dynamics.fitting.gradient_step import GradientStep
from offline_envs.dynamics.fitting.losses import squared_error
from offline_envs.dynamics.fitting.multi_step import MultiStep, Windows, windows_of
from offline_envs.dynamics.fitting.progress import FitProgress
from offline_envs.dynamics.fitting.report import FitReport, warn_of_tight_bound, warn_of_useless_outputs
from offline_envs.dynamics.fitting.rows import (
    Rows,
    generator_for,
    split_index,
    split_rows,
    standardize_targets,
)
from offline_envs.dynamics.fitting.schedules import SCHEDULES
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.value_consistency import ValueConsistency
from offline_envs.dynamics.history_model import model_dims, model_rows
from offline_envs.dynamics.model import weights_digest
from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.kernels import warn_of_emulation
from offline_envs.settings import check_arguments

FIT_VERSION = 4
"""Incremented whenever equal settings give another ensemble than before."""

SECONDS_BETWEEN_WRITES = 10.0
"""How often an epoch's end is written to the folder of a fit; an interrupt always writes the last one."""

_SPECTRAL_NORM, _STEPS_BETWEEN_LOOKS = 3, 50


class Fitted(NamedTuple):
    """An ensemble and the report of its fit."""

    ensemble: EnsembleDynamics
    report: FitReport


@check_arguments
def fit(
    transitions: Transitions,
    settings: EnsembleSettings | None = None,
    *,
    fit_settings: FitSettings | None = None,
    initial: EnsembleDynamics | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
    folder: Path | str | None = None,
) -> Fitted:
    """Fit an ensemble to a dataset.

    Equal arguments give bit-identical weights on the same CPU with the same number of threads. A GPU
    may round a step that is replayed as a graph differently from one that is not.

    Args:
        transitions: The dataset; of one with a history, the ensemble is fitted to `model_rows`.
        settings: Shape of the ensemble; None means that of `initial`, or MOPO's.
        fit_settings: Settings of the fit; None means MOPO's release.
        initial: Ensemble whose weights the fit starts from, e.g. the last one where data were appended; None
            for random weights. Predictions are at first those of `initial`, see `start_from`. All else
            starts afresh, also the holdout: rows of it that `initial` was fitted to score members too well.
        device: Device of the fit and of the ensemble.
        progress: Whether to show progress on standard error.
        folder: Folder that keeps an interrupted fit. The same call resumes it, with the result of an
            uninterrupted fit. None keeps nothing.

    Raises:
        DatasetError: Too few rows for a holdout, or none that follow one another for `rollout_steps`.
        CheckpointError: `folder` holds a damaged fit, or one of other data or settings.
        SettingsError: `value_weight` with deterministic members, `rollout_steps` with a history, or `initial`
            is of another shape.
        OfflineEnvsError: The loss is not finite.

    Warns:
        UserWarning: Outputs that are predicted worse than their mean, or windows much shorter than
            `rollout_steps`.
    """
    settings, fit_settings = fit_choices(transitions, settings, fit_settings, initial)
    device = torch.device(device)
    warn_of_emulation(fit_settings.precision, device)
    keeper = _Keeper(folder, fit_identity(transitions, settings, fit_settings, initial)) if folder else None
    transitions = model_rows(transitions)
    ensemble = EnsembleDynamics(
        transitions.obs_dim, transitions.action_dim, settings=settings, seed=fit_settings.seed
    )
    rows = split_rows(transitions, ensemble.normalizer, fit_settings=fit_settings, device=device)
    scaler = standardize_targets(rows) if fit_settings.standardize_targets else None
    if initial is not None:
        start_from(ensemble, initial, scaler)
    normalizer = ensemble.normalizer
    windows = windows_of(transitions, rows, normalizer=normalizer, scaler=scaler, fit_settings=fit_settings)
    if settings.spectral_norm:
        add_spectral_norm(ensemble, generator=generator_for(fit_settings.seed, _SPECTRAL_NORM))
    values = _values(transitions, ensemble, scaler, fit_settings, device)
    state = FitState(ensemble.to(device), fit_settings, values)
    if keeper:
        keeper.resume(state)
    _train(state, rows, windows, keeper, shown=progress)
    return _finished(state, rows, scaler, output_names(transitions))


def _values(
    transitions: Transitions,
    ensemble: EnsembleDynamics,
    scaler: Normalizer | None,
    fit_settings: FitSettings,
    device: torch.device,
) -> ValueConsistency | None:
    if not fit_settings.value_weight:
        return None
    train, _ = split_index(len(transitions), fit_settings)
    return ValueConsistency(
        ensemble.n_members,
        transitions.terminated[train],
        ensemble.normalizer,
        scaler or Normalizer(ensemble.n_outputs),
        fit_settings=fit_settings,
        device=device,
    )


def fit_choices(
    transitions: Transitions,
    settings: EnsembleSettings | None,
    fit_settings: FitSettings | None,
    initial: EnsembleDynamics | None,
) -> tuple[EnsembleSettings, FitSettings]:
    """Return the settings of a fit, with those that None stands for.

    Raises:
        SettingsError: `value_weight` with deterministic members, `rollout_steps` with a history, or `initial`
            is of another shape.
    """
    settings = settings or (EnsembleSettings() if initial is None else initial.settings)
    fit_settings = fit_settings or FitSettings()
    if fit_settings.value_weight and not settings.probabilistic:
        raise SettingsError("value_weight needs members that predict a variance, but probabilistic=False.")
    if fit_settings.rollout_steps > 1 and transitions.history > 1:
        raise SettingsError(
            f"rollout_steps={fit_settings.rollout_steps} feeds predictions back as observations, not into a "
            f"history of {transitions.history}. Leave one of the two out."
        )
    if initial is not None:
        check_initial(initial, settings, *model_dims(transitions))
    return settings, fit_settings


def fit_identity(
    transitions: Transitions,
    settings: EnsembleSettings,
    fit_settings: FitSettings,
    initial: EnsembleDynamics | None = None,
) -> dict[str, Any]:
    """Return everything that a fit depends on, as JSON values: dataset, settings, version, first weights."""
    identity = {
        "dataset": transitions.fingerprint,
        "ensemble settings": settings.to_json(),
        "fit settings": fit_settings.to_json(),
        "version": FIT_VERSION,
    }
    return identity if initial is None else identity | {"initial weights": weights_digest(initial)}


class _Keeper:
    """Keeps the last finished epoch in a folder."""

    def __init__(self, folder: Path | str, identity: Mapping[str, Any]) -> None:
        self._folder, self._identity = Path(folder), identity
        self._last: Capture | None = None
        self._written_at = time.monotonic()

    def resume(self, state: FitState) -> None:
        """Resume from the fit in the folder, if there is one."""
        capture = Capture.read(self._folder, self._identity)
        if capture:
            state.restore(capture)

    def keep(self, state: FitState) -> None:
        """Remember the epoch that just ended, and write it if the last write was a while ago."""
        self._last = state.capture()
        if state.stopped_by or time.monotonic() - self._written_at >= SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Write the last finished epoch, unless it was written already."""
        if self._last is not None:
            self._last.write(self._folder, self._identity)
            self._last, self._written_at = None, time.monotonic()


def _train(state: FitState, rows: Rows, windows: Windows, keeper: _Keeper | None, *, shown: bool) -> None:
    settings = state.fit_settings
    members = Bootstrap(
        state.ensemble.n_members,
        len(rows.train),
        seed=settings.seed,
        replace=settings.bootstrap,
        device=rows.train.device,
    )
    take_step = GradientStep(state, rows, windows.train)
    steps = math.ceil(len(rows.train) / settings.batch_size)
    display = FitProgress(
        state.ensemble.n_members, steps, max_epochs=settings.max_epochs, done=state.epoch, shown=shown
    )
    with display:
        try:
            while not state.stopped_by:
                _run_epoch(state, rows, windows, take_step, members, display)
                if keeper:
                    keeper.keep(state)
        except KeyboardInterrupt:
            if keeper:
                keeper.write()
                display.note(f"Interrupted after {state.epoch} epochs; the same call resumes there.")
            raise


def _run_epoch(
    state: FitState,
    rows: Rows,
    windows: Windows,
    take_step: GradientStep,
    members: Bootstrap,
    display: FitProgress,
) -> None:
    start = time.perf_counter()
    train_loss = _train_epoch(state, take_step, members.order(state.epoch), display)
    if state.ensemble.settings.spectral_norm:
        refine_spectral_norm(state.ensemble)
    holdout_mse = _holdout_mse(state.ensemble, rows, windows.holdout)
    state.seconds += time.perf_counter() - start
    state.record(train_loss, holdout_mse)
    display.epoch(train_loss, holdout_mse, last=bool(state.stopped_by))


def _train_epoch(state: FitState, take_step: GradientStep, order: Tensor, display: FitProgress) -> float:
    """One pass over the rows in `order`, `(N, n_train)`; returns the mean loss on the data."""
    state.ensemble.train()
    settings = state.fit_settings
    total = torch.zeros((), device=order.device)
    batches = torch.split(order, settings.batch_size, dim=1)
    n_steps = settings.max_epochs and settings.max_epochs * len(batches)
    for done, index in enumerate(batches, start=1):
        step = state.epoch * len(batches) + done - 1
        set_learning_rate(
            state.optimizer, SCHEDULES[settings.schedule](step, n_steps) * settings.learning_rate
        )
        total += take_step(index, step=step, n_steps=n_steps)
        if done % _STEPS_BETWEEN_LOOKS == 0:
            _require_finite(total, state)
            display.step(done)
    _require_finite(total, state)
    return total.item() / (len(batches) * state.ensemble.n_members)


def _require_finite(total: Tensor, state: FitState) -> None:
    if not math.isfinite(total.item()):
        raise OfflineEnvsError(
            f"The loss is {total.item()} in epoch {state.epoch + 1}: the fit diverged. Try a learning_rate "
            f"below {state.fit_settings.learning_rate:g}, and look for extreme values in the dataset."
        )


@torch.no_grad()
def _holdout_mse(ensemble: EnsembleDynamics, rows: Rows, windows: MultiStep | None = None) -> list[float]:
    """Holdout error of every member, N values, see `FitReport`."""
    if windows:
        open_loop: list[float] = windows.open_loop_error(ensemble.eval()).tolist()
        return open_loop
    inputs, targets = rows.scored()
    mean, _ = ensemble.eval()(inputs.expand(ensemble.n_members, -1, -1))
    errors: list[float] = squared_error(mean, targets).tolist()
    return errors


def _finished(state: FitState, rows: Rows, scaler: Normalizer | None, names: Sequence[str]) -> Fitted:
    ensemble = state.ensemble
    state.restore_best()
    if ensemble.settings.spectral_norm:
        bake_spectral_norm(ensemble)
    ensemble.elites.copy_(torch.tensor(state.elites()))
    ensemble.eval().requires_grad_(False)
    report = _report(state, rows)
    if scaler:
        ensemble.rescale_outputs(scaler.mean, scaler.std)
    warn_of_useless_outputs(report, names)
    warn_of_tight_bound(report, ensemble.settings)
    return Fitted(ensemble, report)


def _report(state: FitState, rows: Rows) -> FitReport:
    return FitReport(
        epochs=state.epoch,
        train_loss=tuple(state.train_loss),
        holdout_history=tuple(tuple(mse) for mse in state.holdout_history),
        holdout_mse=tuple(state.best_mse),
        elites=tuple(state.elites()),
        seconds=state.seconds,
        n_train=len(rows.train),
        n_holdout=len(rows.holdout),
        stopped_by=state.stopped_by,
        unexplained=tuple(_unexplained(state.ensemble, rows)),
    )


@torch.no_grad()
def _unexplained(ensemble: EnsembleDynamics, rows: Rows) -> list[float]:
    """Squared error of the mean of the elites over the holdout's variance, 1 + d values; 0 where it is 0."""
    inputs, targets = rows.scored()
    means, _ = ensemble(inputs.expand(ensemble.n_members, -1, -1))
    error = (means[ensemble.elites].mean(dim=0) - targets[0]).square().mean(dim=0)
    variance = targets[0].var(dim=0, correction=0)
    shares: list[float] = torch.where(variance > 0, error / variance, 0.0).tolist()
    return shares
