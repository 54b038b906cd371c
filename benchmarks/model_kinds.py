"""How good the kinds of models are that PETS compares (Chua et al. 2018, table 1), on one dataset.

D and P are a single network without and with a variance, DE and PE an ensemble of them, GP a Gaussian
process: exact on some of the rows, or sparse on all of them. All see the same rows and the same holdout, and
every network takes the same number of gradient steps. D and DE predict no variance; for likelihood and
intervals they get the variance of their residuals on one half of the holdout, and all kinds are judged on the
other half.
"""

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from offline_envs import Transitions, load_transitions
from offline_envs.dynamics import (
    DynamicsModel,
    EnsembleSettings,
    FitSettings,
    GaussianProcessSettings,
    Holdout,
    Prediction,
    fit,
    fit_gaussian_process,
    read_model,
    read_model_card,
    save_model,
)
from offline_envs.evaluation import DataScale, interval_shares, mixture_quantile

EMBEDDED = "offline-envs/inverteddoublependulum-replay-v0"
LEVELS = (0.5, 0.9)
HORIZONS = (1, 5, 25)
NETWORKS = {
    "D": EnsembleSettings(n_members=1, n_elites=1, probabilistic=False),
    "P": EnsembleSettings(n_members=1, n_elites=1),
    "DE": EnsembleSettings(probabilistic=False),
    "PE": EnsembleSettings(),
}


class Judged(NamedTuple):
    """A kind of model and how good it is."""

    name: str
    seconds: float
    error: float  # mean ‖next_obs − predicted‖₂, raw units
    unexplained: float  # share of the variance, mean over reward and each step of the observation
    nll: float  # of an output in deviations of the data
    inside: list[float]  # share of values inside the intervals of LEVELS
    mean_error: list[float]  # median open-loop error after HORIZONS steps, deviations of the data
    sampled_error: list[float]
    steps: float  # of LearnedModel-v0 a second


def main(
    dataset: Annotated[str, typer.Option(help="Id or path.")] = EMBEDDED,
    epochs: Annotated[int, typer.Option(help="Epochs of each network.", min=1)] = 3,
    exact_rows: Annotated[int, typer.Option(help="Rows of the exact process.", min=1)] = 500,
    exact_likelihood: Annotated[int, typer.Option(help="Of which the likelihood is maximised.", min=1)] = 500,
    inducing: Annotated[int, typer.Option(help="Inducing points of the sparse process.", min=1)] = 100,
    steps: Annotated[int, typer.Option(help="Steps of Adam for an output of a process.", min=1)] = 50,
    output: Annotated[Path | None, typer.Option(help="Folder of the models; those in it are read.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kinds to compare; all by default.")] = None,
    starts: Annotated[int, typer.Option(help="States from which models run open loop.", min=1)] = 300,
    seed: Annotated[int, typer.Option(help="Seed of fits and judgement.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
) -> None:
    """Fit or read a model of each kind, judge them, and print a table."""
    if threads:
        torch.set_num_threads(threads)
    data = load_transitions(dataset)
    networks = FitSettings(learning_rate=4e-3, schedule="cosine", max_epochs=epochs, seed=seed)
    exact = GaussianProcessSettings(
        n_rows=exact_rows,
        max_exact_rows=exact_rows,
        likelihood_rows=exact_likelihood,
        steps=steps,
        seed=seed,
    )
    sparse = GaussianProcessSettings(max_exact_rows=0, n_inducing=inducing, steps=steps, seed=seed)
    fits = {name: network_fit(data, settings, networks) for name, settings in NETWORKS.items()}
    fits |= {"GP-exact": process_fit(data, exact), "GP-sparse": process_fit(data, sparse)}
    with tempfile.TemporaryDirectory() as scratch:
        judged = []
        for name in kind or fits:
            folder = (output or Path(scratch)) / name
            if not folder.exists():
                typer.echo(f"Fitting {name}", err=True)
                fits[name](folder)
            judged.append(judge(name, folder, data, n_starts=starts, seed=seed))
            typer.echo(judged[-1], err=True)
    Console().print(table(judged, f"Kinds of models of {dataset}, {len(data):,} rows"))


def network_fit(
    data: Transitions, settings: EnsembleSettings, fit_settings: FitSettings
) -> Callable[[Path], None]:
    """What fits networks and writes them to a folder."""

    def make(folder: Path) -> None:
        partial = folder.with_suffix(".partial")
        ensemble, report = fit(data, settings, fit_settings=fit_settings, folder=partial)
        save_model(folder, ensemble, transitions=data, fit_settings=fit_settings, report=report)

    return make


def process_fit(data: Transitions, settings: GaussianProcessSettings) -> Callable[[Path], None]:
    """What fits a Gaussian process and writes it to a folder."""

    def make(folder: Path) -> None:
        process, report = fit_gaussian_process(data, settings, folder=folder.with_suffix(".partial"))
        save_model(folder, process, transitions=data, fit_settings=settings, report=report)

    return make


def judge(name: str, folder: Path, data: Transitions, *, n_starts: int, seed: int) -> Judged:
    """Judge the model in a folder on its holdout, open loop, and by the clock."""
    model, card = read_model(folder), read_model_card(folder)
    scale = DataScale.of(data)
    holdout = Holdout.of(data, card, seed=seed)
    if holdout.reason is not None:
        raise typer.BadParameter(f"{folder} cannot be judged: {holdout.reason}")
    obs, true = data.obs[holdout.rows], targets(data, holdout.rows)
    predicted = elites_of(model, model.predict(obs, data.actions[holdout.rows]))
    missed = true - predicted.mean.mean(dim=0)
    units = targets(data, torch.arange(len(data))).std(dim=0)
    units = torch.where(units < 1e-6, 1.0, units)
    half = len(true) // 2
    density = with_variance(predicted, missed[:half], probabilistic=model.probabilistic)
    later = Prediction(density.mean[:, half:], density.std[:, half:])
    windows = windows_of(data, n_starts, seed)
    generator = torch.Generator().manual_seed(seed)
    return Judged(
        name,
        float(card["report"]["seconds"]),
        float(torch.linalg.vector_norm(missed[:, 1:], dim=1).mean()),
        float((missed / units).square().mean()),
        float(mixture_nll(later, true[half:]).add(units.log(), alpha=-1).mean()),
        interval_shares(mixture_quantile(later, true[half:]), LEVELS).mean(dim=1).tolist(),
        open_loop(model, windows, scale, None),
        open_loop(model, windows, scale, generator),
        steps_a_second(model, data),
    )


def targets(data: Transitions, rows: Tensor) -> Tensor:
    """(reward, next_obs − obs), `(m, 1 + d)`."""
    return torch.cat([data.rewards[rows, None], data.next_obs[rows] - data.obs[rows]], dim=1)


def elites_of(model: DynamicsModel, prediction: Prediction) -> Prediction:
    """The members that steps are drawn from."""
    return prediction.members(model.elites)


def with_variance(predicted: Prediction, missed: Tensor, *, probabilistic: bool) -> Prediction:
    """The prediction itself, or the elites' mean with the deviation of its residuals `(m, 1 + d)`."""
    if probabilistic:
        return predicted
    mean = predicted.mean.mean(dim=0, keepdim=True)
    return Prediction(mean, missed.square().mean(dim=0).sqrt().clamp(min=1e-9).expand_as(mean))


def mixture_nll(prediction: Prediction, true: Tensor) -> Tensor:
    """Negative log density of the truth in the equal mixture of Gaussians, output by output, `(m, 1 + d)`."""
    mean, std = prediction.mean.double(), prediction.std.double()
    logs = -0.5 * ((true - mean) / std).square() - std.log() - 0.5 * math.log(2 * math.pi)
    return math.log(len(mean)) - logs.logsumexp(dim=0)


def windows_of(data: Transitions, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Observations `(n, h + 1, d)` and actions `(n, h, k)` of as many steps as the last horizon."""
    length = max(HORIZONS)
    ends = data.episode_starts + data.episode_lengths
    left = torch.repeat_interleave(ends, data.episode_lengths) - torch.arange(len(data))
    rows = torch.nonzero(left >= length)[:, 0]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    index = rows[order[:n], None] + torch.arange(length)
    obs = torch.cat([data.obs[index[:, :1]], data.next_obs[index]], dim=1)
    return obs, data.actions[index]


def open_loop(
    model: DynamicsModel, windows: tuple[Tensor, Tensor], scale: DataScale, generator: torch.Generator | None
) -> list[float]:
    """Median over windows of the root mean square error after `HORIZONS` steps, in deviations of the data.

    Args:
        model: The model, which continues from its own predictions.
        windows: Real observations and actions.
        scale: Deviations of the data.
        generator: Draws an elite and its noise at each step; None for the mean of the elites' means.
    """
    truth, actions = windows
    obs, errors = truth[:, 0], []
    for step in range(actions.shape[1]):
        prediction = elites_of(model, model.predict(obs, actions[:, step]))
        if generator is None:
            delta = prediction.mean.mean(dim=0)
        else:
            own = prediction.own(torch.randint(len(prediction.mean), (len(obs),), generator=generator))
            delta = own.mean + own.std * torch.randn(own.mean.shape, generator=generator)
        obs = obs + delta[:, 1:]
        rms = ((obs - truth[:, step + 1]) / scale.obs_std).square().mean(dim=1).sqrt()
        errors.append(float(rms.nan_to_num(nan=math.inf).median()))
    return [errors[h - 1] for h in HORIZONS]


def steps_a_second(
    model: DynamicsModel, data: Transitions, *, rows: int = 500, seconds: float = 2.0
) -> float:
    """Steps of `LearnedModel-v0` a second, with `rows` episodes side by side."""
    options: Any = {"autoreset_mode": "SameStep", "output": "torch"}
    envs: Any = gym.make_vec("LearnedModel-v0", num_envs=rows, dataset=data, model=model, **options)
    envs.reset(seed=0)
    actions = data.actions[:rows]
    envs.step(actions)
    done, start = 0, time.process_time()
    while time.process_time() - start < seconds or not done:
        envs.step(actions)
        done += rows
    return done / (time.process_time() - start)


def table(judged: list[Judged], title: str) -> Table:
    """Lay out one row a kind."""
    grid = Table(title=title)
    horizons = ", ".join(map(str, HORIZONS))
    for column in (
        "kind",
        "fit [s]",
        "error, raw",
        "unexplained",
        "NLL",
        *(f"inside {level:.0%}" for level in LEVELS),
        f"open loop, mean: {horizons}",
        f"sampled: {horizons}",
        "steps/s",
    ):
        grid.add_column(column, justify="left" if column == "kind" else "right")
    for one in judged:
        grid.add_row(
            one.name,
            f"{one.seconds:,.0f}",
            f"{one.error:.4g}",
            f"{one.unexplained:.4f}",
            f"{one.nll:.3f}",
            *(f"{share:.1%}" for share in one.inside),
            *(
                ", ".join(f"{error:.3f}" for error in errors)
                for errors in (one.mean_error, one.sampled_error)
            ),
            f"{one.steps:,.0f}",
        )
    return grid


if __name__ == "__main__":
    typer.run(main)
