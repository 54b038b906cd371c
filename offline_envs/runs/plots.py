"""Plots of a run, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from offline_envs.data import Transitions
from offline_envs.evaluation import ModelError
from offline_envs.files import new_file
from offline_envs.runs.results import MetricsRow

SIZE = (7.0, 4.5)  # inches
DPI = 120
MOST_POINTS = 4000  # points of a scatter plot; more would only hide each other


def plot_learning_curve(rows: Sequence[MetricsRow], transitions: Transitions, path: Path) -> None:
    """Draw the real return over training against the dataset's mean and best episode.

    Args:
        rows: Evaluations, as written to `metrics.csv`.
        transitions: The dataset.
        path: PNG file to write.
    """
    axes = _axes("Return in the real environment", "gradient steps", "undiscounted return")
    steps, mean, std = np.array([(row.gradient_steps, row.real_return, row.real_std) for row in rows]).T
    axes.plot(steps, mean, color="C0", marker="o", markersize=3, label="policy: mean of episodes")
    axes.fill_between(steps, mean - std, mean + std, color="C0", alpha=0.2, lw=0, label="± one deviation")
    returns = transitions.episode_returns
    axes.axhline(float(returns.mean()), color="0.4", ls="--", label=f"dataset's mean: {returns.mean():.0f}")
    axes.axhline(float(returns.max()), color="0.1", ls=":", label=f"dataset's best: {returns.max():.0f}")
    _save(axes, path)


def plot_predicted_return(rows: Sequence[MetricsRow], path: Path) -> None:
    """Draw the return that the model predicts, and the real one, over training.

    Args:
        rows: Evaluations, as written to `metrics.csv`.
        path: PNG file to write.
    """
    axes = _axes("Return predicted by the model, and real return", "gradient steps", "undiscounted return")
    steps, real = [row.gradient_steps for row in rows], [row.real_return for row in rows]
    predicted = np.array([row.predicted_return for row in rows], dtype=float)
    axes.plot(steps, predicted, "C1-s", markersize=3, label="predicted by the model")
    axes.plot(steps, real, "C0-o", markersize=3, label="in the real environment")
    _save(axes, path)


def plot_model_error(found: ModelError, path: Path) -> None:
    """Draw the model's true one-step error against its uncertainty, one dot per real step of the policy.

    Args:
        found: Uncertainty and error of each step.
        path: PNG file to write.
    """
    correlation = found.rank_correlation
    known = "undefined" if correlation is None else f"{correlation:.2f}"
    axes = _axes(
        f"Does the model know when it is wrong?  (rank correlation {known})",
        "uncertainty u(obs, action)",
        "one-step error ‖next_obs − prediction‖",
    )
    pick = np.linspace(0, len(found.error) - 1, min(MOST_POINTS, len(found.error))).astype(int)
    axes.plot(found.uncertainty[pick], found.error[pick], ".", markersize=2, alpha=0.4, label="a real step")
    axes.set(xscale=_scale(found.uncertainty[pick]), yscale=_scale(found.error[pick]))
    _save(axes, path)


def plot_returns(transitions: Transitions, path: Path | str) -> None:
    """Draw the histogram of a dataset's episode returns.

    Args:
        transitions: The dataset.
        path: PNG file to write.
    """
    axes = _axes(f"Episode returns of {transitions.source}", "undiscounted return", "episodes")
    axes.hist(transitions.episode_returns.numpy(), bins=40, color="C0", label="episodes")
    axes.axvline(float(transitions.episode_returns.mean()), color="0.1", ls="--", label="mean")
    _save(axes, path)


def _scale(values: NDArray[np.float32]) -> str:
    """`"log"` if positive values span more than a factor of ten; else a log axis would have no ticks."""
    positive = values[values > 0]
    return "log" if len(positive) and positive.max() > 10 * positive.min() else "linear"


def _axes(title: str, x: str, y: str) -> Axes:
    axes = Figure(figsize=SIZE, layout="constrained").add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.25)
    return axes


def _save(axes: Axes, path: Path | str) -> None:
    axes.legend(fontsize="small")
    with new_file(Path(path)) as part:
        axes.get_figure().savefig(part, format="png", dpi=DPI)  # type: ignore[union-attr]
