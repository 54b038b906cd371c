"""Results of a sweep: figures over the seeds of each combination, as a table and a plot."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from offline_envs.files import new_file, write_text
from offline_envs.runs import RunFolder, SeedResults, Spread, TrainResult
from offline_envs.sweep.grid import Cell
from offline_envs.sweep.sweep import stopped_runs

RESULTS, PLOT = "results.csv", "returns.png"
"""Files of `write_results`."""

COLUMNS = (
    *("combination", "seeds", "real_return", "spread", "normalized_score", "predicted_return"),
    *("stopped", "missing"),
)


@dataclass(frozen=True)
class CellResult:
    """The seeds of one combination of values.

    Attributes:
        group: The combination, see `Cell.group`.
        results: Results of the complete runs.
        stopped: Gradient steps of those that were stopped early.
        missing: Number of runs that are neither.
    """

    group: str
    results: tuple[TrainResult, ...]
    stopped: tuple[int, ...]
    missing: int

    @property
    def real_return(self) -> Spread | None:
        """Over the seeds; None without a complete run."""
        return SeedResults(self.results).real_return if self.results else None

    @property
    def normalized_score(self) -> Spread | None:
        """The same, normalised; None where it is not defined."""
        return SeedResults(self.results).normalized_score

    @property
    def predicted_return(self) -> float | None:
        """Mean over the seeds of the return that the model predicts."""
        values = [r.predicted_return for r in self.results if r.predicted_return is not None]
        return sum(values) / len(values) if values else None


def cell_results(found: Sequence[Cell], folder: Path) -> list[CellResult]:
    """Read what a sweep has so far, best mean return first, combinations without a result last.

    Args:
        found: Its runs.
        folder: Its folder.
    """
    stopped = stopped_runs(folder)
    groups: dict[str, list[Cell]] = {}
    for cell in found:
        groups.setdefault(cell.group, []).append(cell)
    rows = []
    for group, members in groups.items():
        runs = [RunFolder(folder / cell.name) for cell in members]
        complete = tuple(run.result() for run in runs if run.result_file.exists())
        early = tuple(stopped[cell.name] for cell in members if cell.name in stopped)
        rows.append(CellResult(group, complete, early, len(members) - len(complete) - len(early)))
    return sorted(rows, key=_rank)


def write_results(rows: Sequence[CellResult], folder: Path) -> None:
    """Write `results.csv`, a row a combination, and `returns.png`.

    Args:
        rows: Result of `cell_results`.
        folder: Where they are written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        real, score = row.real_return, row.normalized_score
        figures = (real and real.mean, real and real.std, score and score.mean, row.predicted_return)
        texts = ["" if figure is None else f"{figure:.2f}" for figure in figures]
        writer.writerow([row.group, len(row.results), *texts, len(row.stopped), row.missing])
    write_text(folder / RESULTS, text.getvalue())
    if any(row.results for row in rows):
        _plot([row for row in rows if row.results], folder / PLOT)


def _rank(row: CellResult) -> float:
    return float("inf") if row.real_return is None else -row.real_return.mean


def _plot(rows: Sequence[CellResult], path: Path) -> None:
    """A line a combination: a dot a seed, a bar at their mean, and the dataset's mean and best."""
    figure = Figure(figsize=(8, 1.6 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        returns = [result.real_return for result in row.results]
        axes.plot(returns, [place] * len(returns), "o", color="C0", alpha=0.6)
        axes.plot([sum(returns) / len(returns)], [place], "|", color="C0", markersize=18, markeredgewidth=2)
    datasets = {(result.dataset_mean, result.dataset_best) for row in rows for result in row.results}
    if len(datasets) == 1:
        ((mean, best),) = datasets
        axes.axvline(mean, color="0.4", ls="--", label=f"dataset's mean: {mean:.0f}")
        axes.axvline(best, color="0.1", ls=":", label=f"dataset's best: {best:.0f}")
        axes.legend(fontsize="small")
    axes.set_yticks(range(len(rows)), [row.group for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("real return: a dot a seed, a bar at their mean")
    with new_file(path) as part:
        figure.savefig(part, dpi=120, format="png")
