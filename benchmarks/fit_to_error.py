"""Time that a fit takes to the holdout error at which OfflineRL-Kit's ends, and how well it is calibrated.

Both see the same training and holdout rows. OfflineRL-Kit fits as its own `train` does: batches of 256, a
constant learning rate of 1e-3, members drawn with replacement, and its rule to stop; `--kit-epochs` stops it
earlier. Ours is fitted as `--fit` says. Seconds are processor time on a CPU, so that a busy machine does not
decide.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from peers import kit_ends, kit_unfitted
from rich.console import Console
from rich.table import Table
from torch import Tensor

from offline_envs.data import load_transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, Prediction, fit
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting.rows import Rows, split_rows
from offline_envs.evaluation import interval_shares, mixture_quantile
from offline_envs.runs.presets.measured import COSINE_FIT

FAST = json.dumps(COSINE_FIT)
EMBEDDED = "offline-envs/inverteddoublependulum-replay-v0"
KIT_BATCH = 256
LEVELS = (0.5, 0.9)
"""Shares of the holdout that the reported intervals should contain."""

Predict = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Standardised inputs `(B, d + k)` to mean and log-variance of every member, `(N, B, 1 + d)`."""


class Fit(NamedTuple):
    """A fit, its time, and its errors on the holdout."""

    name: str
    epochs: int
    seconds: float
    mse: float  # mean over the five best members
    nll: float
    inside_half: float
    inside_most: float
    mixture_half: float  # of the five best, which the steps of an environment are drawn from
    mixture_most: float


def main(
    dataset: Annotated[str, typer.Option(help="Id or path.")] = EMBEDDED,
    settings: Annotated[str, typer.Option("--fit", help="Settings of our fit, JSON.")] = FAST,
    seeds: Annotated[int, typer.Option(help="Fits of ours.", min=1)] = 3,
    kit_seeds: Annotated[int, typer.Option(help="Fits of OfflineRL-Kit.")] = 1,
    kit_epochs: Annotated[int, typer.Option(help="Epochs of OfflineRL-Kit; 0 is its own rule.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit.")] = None,
) -> None:
    """Fit, compare errors on the same holdout, and print a table."""
    if threads:
        torch.set_num_threads(threads)
    data = load_transitions(dataset)
    fit_settings = FitSettings.from_json(json.loads(settings))
    fits = []
    for seed in range(seeds):
        fits.append(own_fit(data, replace(fit_settings, seed=seed)))
        typer.echo(fits[-1], err=True)
    for seed in range(kit_seeds if offlinerl_kit else 0):
        fits.append(kit_fit(offlinerl_kit, data, replace(fit_settings, seed=seed), kit_epochs))
        typer.echo(fits[-1], err=True)
    Console().print(table(fits, f"Fits of {dataset}, {len(data):,} rows, {threads} threads"))


def own_fit(data: Any, fit_settings: FitSettings) -> Fit:
    """Fit an ensemble of the default shape."""
    start = time.process_time()
    ensemble, report = fit(data, fit_settings=fit_settings, progress=False)
    seconds = time.process_time() - start
    rows = split(data, fit_settings)
    return scored(f"offline-envs, seed {fit_settings.seed}", report.epochs, seconds, outputs(ensemble), rows)


def split(data: Any, fit_settings: FitSettings) -> Rows:
    """Training rows and holdout of a seed."""
    normalizer = Normalizer(data.obs_dim + data.action_dim)
    return split_rows(data, normalizer, fit_settings=fit_settings, device=torch.device("cpu"))


def outputs(ensemble: EnsembleDynamics) -> Predict:
    """What a fitted ensemble predicts."""

    def predict(inputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = ensemble(inputs.expand(ensemble.n_members, -1, -1))
        assert logvar is not None
        return mean, logvar

    return predict


def kit_fit(checkout: Path | None, data: Any, fit_settings: FitSettings, max_epochs: int) -> Fit:
    """Fit as OfflineRL-Kit's `EnsembleDynamics.train` does, on our rows and without its log."""
    assert checkout is not None
    torch.manual_seed(fit_settings.seed)
    rows = split(data, fit_settings)
    ends = kit_ends(checkout, "HalfCheetah-v5")  # nobody asks for them
    dynamics = kit_unfitted(checkout, data.obs_dim, data.action_dim, ends)
    epochs, start = 0, time.process_time()
    for mse in epochs_of_kit(dynamics, rows, fit_settings.seed):
        epochs += 1
        seconds = time.process_time() - start
        typer.echo(f"OfflineRL-Kit, epoch {epochs}: {mse:.4g} after {seconds:,.0f} s", err=True)
        if epochs == max_epochs:
            break
    dynamics.model.load_save()
    seconds = time.process_time() - start
    return scored(f"OfflineRL-Kit, seed {fit_settings.seed}", epochs, seconds, dynamics.model, rows)


def epochs_of_kit(dynamics: Any, rows: Rows, seed: int, *, patience: int = 5) -> Iterator[float]:
    """Give the error of the best so far, epoch by epoch.

    They end when no member has improved by a hundredth for `patience` of them.
    """
    inputs, targets = (part.numpy() for part in torch.split(rows.train, _widths(rows), dim=1))
    holdout = tuple(part[0].numpy() for part in rows.scored())
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(inputs), size=(dynamics.model.num_ensemble, len(inputs)))
    best, dry = np.full(len(drawn), np.inf), 0
    while dry < patience:
        dynamics.learn(inputs[drawn], targets[drawn], KIT_BATCH)
        drawn = generator.permuted(drawn, axis=1)
        mse: NDArray[Any] = np.array(dynamics.validate(*holdout))
        improved = np.flatnonzero(mse < 0.99 * best)
        best[improved] = mse[improved]
        dry = 0 if len(improved) else dry + 1
        if len(improved):
            dynamics.model.update_save(improved.tolist())
        yield float(np.sort(best)[: EnsembleSettings().n_elites].mean())


@torch.no_grad()
def scored(name: str, epochs: int, seconds: float, predict: Any, rows: Rows) -> Fit:
    """Score a fit on the holdout."""
    inputs, targets = rows.scored()
    mean, logvar = predict(inputs[0])
    error = mean - targets
    mse = error.square().mean(dim=(1, 2))
    best = mse.argsort()[: EnsembleSettings().n_elites]
    std = torch.exp(0.5 * logvar)
    alone = torch.special.ndtr(error.double() / std).flatten(end_dim=1)
    mixture = mixture_quantile(Prediction(mean[best], std[best]), targets[0])
    shares = [share for of in (alone, mixture) for share in interval_shares(of, LEVELS).mean(dim=1).tolist()]
    nll = (error.square() * torch.exp(-logvar) + logvar).mean().item()
    return Fit(name, epochs, seconds, mse[best].mean().item(), nll, *shares)


def table(fits: list[Fit], title: str) -> Table:
    """Lay out one row a fit."""
    grid = Table(title=title)
    columns = (
        "epochs",
        "seconds",
        "holdout MSE, five best",
        "NLL",
        "inside 50 %",
        "inside 90 %",
        "mixture, 50 %",
        "mixture, 90 %",
    )
    for column in ("", *columns):
        grid.add_column(column, justify="right" if column else "left")
    for done in fits:
        grid.add_row(
            done.name,
            str(done.epochs),
            f"{done.seconds:,.0f}",
            f"{done.mse:.4g}",
            f"{done.nll:.3f}",
            f"{done.inside_half:.1%}",
            f"{done.inside_most:.1%}",
            f"{done.mixture_half:.1%}",
            f"{done.mixture_most:.1%}",
        )
    return grid


def _widths(rows: Rows) -> list[int]:
    return [rows.n_inputs, rows.train.shape[1] - rows.n_inputs]


if __name__ == "__main__":
    typer.run(main)
