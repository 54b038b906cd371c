"""Plots of `scores.py`: learning curves of a dataset, and performance profiles over datasets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from run_archive import ArchivedRun

from offline_envs.evaluation import performance_profile

SIZE = (7.0, 4.5)  # inches
DPI = 120
THRESHOLDS = np.linspace(-50.0, 150.0, 401)
"""Of the profile, in units of the batch: 0 is its mean episode, 100 its best."""


def plot_curves(runs: Mapping[str, Sequence[ArchivedRun]], path: Path) -> None:
    """Draw the real return over the run, mean over seeds and their range.

    Runs may have different numbers of gradient steps: TRPO takes few, each on many transitions.

    Args:
        runs: Method → its runs on one dataset.
        path: PNG file to write.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    any_run = next(iter(runs.values()))[0]
    for index, (method, seeds) in enumerate(runs.items()):
        length = min(len(run.steps) for run in seeds)
        returns = np.array([run.returns[:length] for run in seeds])
        share = np.array(seeds[0].steps[:length]) / seeds[0].steps[length - 1]
        colour = f"C{index % 10}"
        style = "-" if index < 10 else "--"
        axes.plot(share, returns.mean(axis=0), style, color=colour, label=method)
        low, high = returns.min(axis=0), returns.max(axis=0)
        axes.fill_between(share, low, high, color=colour, alpha=0.15, lw=0)
    axes.axhline(any_run.result["dataset_mean"], color="0.4", ls="--", lw=1, label="dataset's mean")
    axes.axhline(any_run.result["dataset_best"], color="0.1", ls=":", lw=1, label="dataset's best")
    _finish(axes, "share of the run's gradient steps", "real return")
    _save(figure, path)


def plot_profiles(scores: Mapping[str, Sequence[NDArray[np.float64]]], path: Path) -> None:
    """Draw the share of runs above each score, for every method.

    Args:
        scores: Method → scores of each dataset's seeds, of the same datasets for all.
        path: PNG file to write.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    for index, (method, found) in enumerate(scores.items()):
        shares = performance_profile(found, THRESHOLDS)
        axes.step(THRESHOLDS, shares, "-" if index < 10 else "--", color=f"C{index % 10}", label=method)
    axes.axvline(0.0, color="0.4", ls="--", lw=1)
    axes.axvline(100.0, color="0.1", ls=":", lw=1)
    _finish(axes, "score: 0 is the dataset's mean episode, 100 its best", "share of runs above it")
    _save(figure, path)


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.25)
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DPI)
