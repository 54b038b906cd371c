"""Scores of archived runs: a table a dataset, two over datasets, learning curves and a performance profile.

`scores.py add ARCHIVE dataset/method/seed-n RUN` keeps a run, `scores.py show ARCHIVE` prints the tables as
Markdown. Scores are of last policies. Over datasets they are in units of the batch: 0 is its mean episode,
100 its best.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from run_archive import ArchivedRun, add_run, read_runs
from score_plots import plot_curves, plot_profiles

from offline_envs.evaluation import bootstrap_interval, interquartile_mean

LAST = 10
"""Evaluations at the end of a run that stand for what its policy is worth: one is a draw."""

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def add(
    archive: Annotated[Path, typer.Argument(help="Zip of runs; made if there is none.")],
    name: Annotated[str, typer.Argument(help="dataset/method/seed-n")],
    run: Annotated[Path, typer.Argument(help="Folder of a complete run.")],
) -> None:
    """Keep settings, result and metrics of a run."""
    add_run(archive, name, run)


@app.command()
def show(
    archive: Annotated[Path, typer.Argument(help="Zip of runs.")],
    images: Annotated[Path | None, typer.Option(help="Folder for learning curves and the profile.")] = None,
) -> None:
    """Print the tables, and draw the plots if a folder is given."""
    runs = read_runs(archive)
    for dataset, found in _grouped(runs, "dataset").items():
        print(f"\n### {dataset}\n\n{dataset_table(found)}")
        if images is not None:
            plot_curves(_grouped(found, "method"), images / f"curves_{dataset}.png")
    print(f"\n### All datasets\n\n{overview_table(runs)}")
    if complete := complete_methods(runs):
        print(f"\n{method_table(complete)}")
        if images is not None:
            finals = {method: _scores(found, _last_policy) for method, found in complete.items()}
            plot_profiles(finals, images / "profiles.png")


def dataset_table(runs: Sequence[ArchivedRun]) -> str:
    """Markdown: what each method's policies return on one dataset, over seeds."""
    header = ["method", "seeds", "last policy", "normalised", f"last {LAST} evaluations", "best"]
    rows = []
    for method, found in _grouped(runs, "method").items():
        finals, normal = zip(*(run.last_policy for run in found), strict=True)
        score = "" if None in normal else f"{np.mean(normal):.1f}"
        best = f"{max(max(run.returns) for run in found):.0f}"
        rows.append([method, str(len(found)), _spread(finals), score, _spread(_tail(found)), best])
    batch = runs[0].result
    title = f"Mean episode {batch['dataset_mean']:.0f}, best {batch['dataset_best']:.0f}."
    return f"{title}\n\n{_table(header, rows)}"


def overview_table(runs: Sequence[ArchivedRun]) -> str:
    """Markdown: a row a method, a column a dataset; last policies over seeds, then the last evaluations."""
    datasets = _grouped(runs, "dataset")
    batches = [found[0].result for found in datasets.values()]
    rows = [["batch: mean; best", *(f"{b['dataset_mean']:.0f}; {b['dataset_best']:.0f}" for b in batches)]]
    for method, found in _grouped(runs, "method").items():
        cells = _grouped(found, "dataset")
        rows.append([method, *(_cell(cells.get(dataset, ())) for dataset in datasets)])
    return _table([f"last policies; last {LAST} evaluations", *datasets], rows)


def complete_methods(runs: Sequence[ArchivedRun]) -> dict[str, list[list[ArchivedRun]]]:
    """Runs on each dataset that compare: of methods with runs on all, as many of one as of another."""
    datasets = _grouped(runs, "dataset").keys()
    methods = {method: _grouped(found, "dataset") for method, found in _grouped(runs, "method").items()}
    return {
        method: _balanced(list(found.values()))
        for method, found in methods.items()
        if found.keys() == datasets
    }


def method_table(methods: Mapping[str, Sequence[Sequence[ArchivedRun]]]) -> str:
    """Markdown: interquartile means over datasets and seeds of each method, with their intervals."""
    header = ["interquartile mean", "runs", "last policies", "95 %", f"last {LAST} evaluations", "95 %"]
    rows = [
        [
            method,
            str(sum(map(len, runs))),
            *_middle(_scores(runs, _last_policy)),
            *_middle(_scores(runs, _late)),
        ]
        for method, runs in methods.items()
    ]
    return _table(header, rows)


def share_of_best(run: ArchivedRun, value: float) -> float:
    """A return in units of the batch: 0 is its mean episode, 100 its best."""
    mean, best = run.result["dataset_mean"], run.result["dataset_best"]
    return float(100 * (value - mean) / (best - mean))


def _balanced(by_dataset: Sequence[list[ArchivedRun]]) -> list[list[ArchivedRun]]:
    """The first seeds of each dataset, as many as the one with the fewest has."""
    fewest = min(map(len, by_dataset))
    return [found[:fewest] for found in by_dataset]


def _scores(
    by_dataset: Sequence[Sequence[ArchivedRun]], value: Callable[[ArchivedRun], float]
) -> list[NDArray[np.float64]]:
    """Scores of each dataset's seeds by a return of each run."""
    return [np.array([share_of_best(run, value(run)) for run in found]) for found in by_dataset]


def _last_policy(run: ArchivedRun) -> float:
    return run.last_policy[0]


def _late(run: ArchivedRun) -> float:
    return float(np.mean(_tail([run])))


def _middle(scores: Sequence[NDArray[np.float64]]) -> tuple[str, str]:
    """Interquartile mean and its bounds; no bounds if no dataset has seeds to draw again."""
    middle = f"{interquartile_mean(np.concatenate(scores)):.0f}"
    if max(map(len, scores)) == 1:
        return middle, ""
    low, high = bootstrap_interval(scores)
    return middle, f"{low:.0f} to {high:.0f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f"| {' | '.join(cells)} |" for cells in (header, *rows))
    return "\n".join([head, f"|{'---|' * len(header)}", *body])


def _cell(runs: Sequence[ArchivedRun]) -> str:
    """Scores of a method on a dataset; nothing if it has no runs there."""
    if not runs:
        return ""
    finals = [run.last_policy[0] for run in runs]
    return f"{_spread(finals)}; {_spread(_tail(runs))}"


def _tail(runs: Sequence[ArchivedRun]) -> NDArray[np.float64]:
    """Returns of the last evaluations of all seeds."""
    return np.concatenate([run.returns[-LAST:] for run in runs])


def _grouped(runs: Sequence[ArchivedRun], key: str) -> dict[str, list[ArchivedRun]]:
    """Runs by dataset or by method, in alphabetical order."""

    def value(run: ArchivedRun) -> str:
        return str(getattr(run, key))

    return {name: list(group) for name, group in groupby(sorted(runs, key=value), key=value)}


def _spread(values: Sequence[float] | NDArray[np.float64]) -> str:
    return f"{np.mean(values):.0f} ± {np.std(values):.0f}" if len(values) > 1 else f"{values[0]:.0f}"


if __name__ == "__main__":
    app()
