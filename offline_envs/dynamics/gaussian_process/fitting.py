"""`fit_gaussian_process`: from transitions to a Gaussian process, one output after the other."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from offline_envs.data import Transitions, output_names
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting.report import FitReport, warn_of_useless_outputs
from offline_envs.dynamics.fitting.rows import Rows, split_rows, standardize_targets
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.gaussian_process.model import GaussianProcessDynamics
from offline_envs.dynamics.gaussian_process.posterior import Posterior, exact_posterior, sparse_posterior
from offline_envs.dynamics.gaussian_process.progress import OutputProgress
from offline_envs.dynamics.gaussian_process.settings import GaussianProcessSettings
from offline_envs.dynamics.gaussian_process.tuned_outputs import TunedOutputs
from offline_envs.dynamics.history_model import model_rows
from offline_envs.errors import OfflineEnvsError
from offline_envs.settings import check_arguments

GP_VERSION = 1
"""Incremented whenever equal settings give another process than before."""


class FittedProcess(NamedTuple):
    """A Gaussian process and the report of its fit."""

    process: GaussianProcessDynamics
    report: FitReport


@check_arguments
def fit_gaussian_process(
    transitions: Transitions,
    settings: GaussianProcessSettings | None = None,
    *,
    device: torch.device | str = "cpu",
    progress: bool = True,
    folder: Path | str | None = None,
) -> FittedProcess:
    """Fit a Gaussian process for each of (reward, next_obs − obs) to a dataset.

    Inputs and outputs are standardised. Hyperparameters maximise the marginal likelihood of
    `likelihood_rows`. The posterior of all rows is exact if they are at most `max_exact_rows`, else sparse.
    Needs gpytorch: `pip install 'offline-envs[gp]'`.

    Args:
        transitions: The dataset; of one with a history, the process is fitted to `model_rows`.
        settings: Settings of the fit; None means the defaults.
        device: Device of the fit and of the process.
        progress: Whether to show progress on standard error.
        folder: Folder that keeps the outputs of an interrupted fit; the same call resumes with the next one.
            None keeps nothing.

    Returns:
        The process, and a report in which an epoch is a step of Adam, the loss is the negative log marginal
        likelihood of a row in standardised units, and errors are in squared deviations of each output.

    Raises:
        DatasetError: Too few rows for a holdout.
        CheckpointError: `folder` holds a damaged fit, or one of other data or settings.
        OfflineEnvsError: gpytorch is missing, or the likelihood is not finite.

    Warns:
        UserWarning: Outputs that are predicted worse than their mean.
    """
    settings = settings or GaussianProcessSettings()
    tune = _tuning()
    outputs = TunedOutputs(folder, gp_identity(transitions, settings))
    transitions = model_rows(transitions)
    normalizer = Normalizer(transitions.obs_dim + transitions.action_dim)
    split = FitSettings(holdout=settings.holdout, seed=settings.seed)
    rows = split_rows(transitions, normalizer, fit_settings=split, device=torch.device(device))
    scaler = standardize_targets(rows)
    inputs, targets = (part[0] for part in rows.batch(_chosen(rows, settings)[None]))
    first = _first_points(inputs, settings)
    _tune_outputs(outputs, tune, inputs, targets, first, settings=settings, shown=progress)
    start = time.perf_counter()
    posterior = _posterior(outputs, inputs, targets, exact=not len(first))
    seconds = outputs.seconds() + time.perf_counter() - start
    report = _report(outputs, posterior, rows, n_rows=len(inputs), seconds=seconds)
    warn_of_useless_outputs(report, output_names(transitions))
    process = GaussianProcessDynamics(
        transitions.action_dim,
        posterior,
        normalizer=normalizer.to(device),
        scaler=scaler,
        exact=not len(first),
    )
    return FittedProcess(process.eval(), report)


def gp_identity(transitions: Transitions, settings: GaussianProcessSettings) -> dict[str, Any]:
    """Return everything that a fit depends on, as JSON values: dataset, settings, version."""
    return {
        "dataset": transitions.fingerprint,
        "fit settings": settings.to_json(),
        "version": GP_VERSION,
    }


def _tuning() -> Any:
    try:
        from offline_envs.dynamics.gaussian_process.likelihood import tune
    except ImportError as error:
        raise OfflineEnvsError(
            f"Fitting a Gaussian process needs gpytorch ({error}). Install it: "
            "pip install 'offline-envs[gp]'. Reading and stepping a fitted one does not need it."
        ) from error
    return tune


def _chosen(rows: Rows, settings: GaussianProcessSettings) -> Tensor:
    """Index of the rows that are fitted: the first, as the split has put them in random order."""
    n = len(rows.train) if settings.n_rows is None else min(settings.n_rows, len(rows.train))
    return torch.arange(n, device=rows.train.device)


def _first_points(inputs: Tensor, settings: GaussianProcessSettings) -> Tensor:
    """Inducing points to start with, float64 `(m, q)`; none if the process is exact."""
    return inputs[: settings.n_inducing if len(inputs) > settings.max_exact_rows else 0].double()


def _tune_outputs(
    outputs: TunedOutputs,
    tune: Any,
    inputs: Tensor,
    targets: Tensor,
    first: Tensor,
    *,
    settings: GaussianProcessSettings,
    shown: bool,
) -> None:
    """Tune the outputs that are not done, one after the other, which bounds the memory."""
    some = inputs[: settings.likelihood_rows].double()
    columns = targets[: settings.likelihood_rows].double().unbind(1)
    with OutputProgress(len(columns), settings.steps, done=len(outputs), shown=shown) as display:
        for column in columns[len(outputs) :]:
            tuned = tune(some, column, first, settings=settings, on_step=display.step)
            outputs.add(tuned)
            display.output(float(tuned.losses[-1]))


def _posterior(outputs: TunedOutputs, inputs: Tensor, targets: Tensor, *, exact: bool) -> Posterior:
    kernel = outputs.kernel(inputs.device)
    if exact:
        return exact_posterior(kernel, inputs.double(), targets.double())
    return sparse_posterior(kernel, inputs, targets, outputs.points(inputs.device))


def _report(
    outputs: TunedOutputs, posterior: Posterior, rows: Rows, *, n_rows: int, seconds: float
) -> FitReport:
    inputs, targets = (part[0] for part in rows.scored())
    mean = torch.cat([posterior(chunk.double())[0] for chunk in torch.split(inputs, 256)], dim=1).T.float()
    error = (mean - targets).square().mean(dim=0)
    variance = targets.var(dim=0, correction=0)
    losses = outputs.losses().mean(dim=0).tolist()
    mse = float(error.mean())
    return FitReport(
        epochs=len(losses),
        train_loss=tuple(losses),
        holdout_history=((mse,),),
        holdout_mse=(mse,),
        elites=(0,),
        seconds=seconds,
        n_train=n_rows,
        n_holdout=len(targets),
        stopped_by="max_epochs",
        unexplained=tuple(torch.where(variance > 0, error / variance, 0.0).tolist()),
    )
