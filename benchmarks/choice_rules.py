"""How much of a run's best evaluation each rule keeps that could have chosen its policy.

Reads `metrics.csv` of runs; nothing is trained. The best evaluation is what a choice by the real environment
would have given: it is the largest of many noisy means, so no rule can be expected to keep all of it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from offline_envs.compare.run_policies import run_names
from offline_envs.runs import MetricsRow, RunFolder

LAST_FEW = 10
"""Evaluations at the end whose mean shows what stopping at any of them would have given."""

Rule = Callable[[Sequence[MetricsRow]], float | None]
"""Real return that a rule gives for the evaluations of a run; None where it cannot be applied."""


def best_by(column: str) -> Rule:
    """The real return of the evaluation whose figure in a column is the highest, the first of equal ones."""

    def rule(rows: Sequence[MetricsRow]) -> float | None:
        judged = [
            row for row in rows if (value := getattr(row, column)) is not None and not math.isnan(value)
        ]
        return max(judged, key=lambda row: float(getattr(row, column))).real_return if judged else None

    return rule


RULES: Mapping[str, Rule] = {
    "best (needs the real environment)": lambda rows: max(row.real_return for row in rows),
    "last": lambda rows: rows[-1].real_return,
    f"mean of the last {LAST_FEW}": lambda rows: float(np.mean([r.real_return for r in rows[-LAST_FEW:]])),
    "model's return": best_by("predicted_return"),
    "figure of --choose": best_by("choice_figure"),
}
"""Every rule by name. The figure is there if the run was trained with `--choose`, see `CHOICES`."""


def main(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs, or folders that hold some.")],
    least: Annotated[int, typer.Option(help="Evaluations that a run must have.", min=1)] = 5,
) -> None:
    """Print, for every run and on average, the real return by each rule and its share of the best."""
    found = {name: rows for name, rows in runs_in(folders).items() if len(rows) >= least}
    if not found:
        raise typer.BadParameter(
            f"no run with at least {least} evaluations in {', '.join(map(str, folders))}"
        )
    Console().print(table(found))


def runs_in(folders: Sequence[Path]) -> dict[str, list[MetricsRow]]:
    """Evaluations of each run below the folders, by its path below the folder that holds them all.

    Those inside checkpoints are no runs.
    """
    files = sorted({file.resolve() for folder in folders for file in folder.rglob("metrics.csv")})
    runs = [file.parent for file in files if file.parent.name != "checkpoint"]
    names = run_names(runs) if runs else []
    return {name: RunFolder(run).read_metrics() for name, run in zip(names, runs, strict=True)}


def kept(rows: Sequence[MetricsRow]) -> dict[str, tuple[float, float] | None]:
    """Real return by each rule, and its share of the best one, NaN unless that is positive."""
    best = max(row.real_return for row in rows)
    given = {name: rule(rows) for name, rule in RULES.items()}
    return {n: None if r is None else (r, r / best if best > 0 else math.nan) for n, r in given.items()}


def table(found: Mapping[str, Sequence[MetricsRow]]) -> Table:
    """One row a run, and the mean of the shares over the runs to which a rule applies."""
    shown = Table(title="Real return of the policy that each rule takes, and share of the best evaluation")
    shown.add_column("run", overflow="fold")
    shown.add_column("evaluations", justify="right")
    for name in RULES:
        shown.add_column(name, justify="right")
    by_run = {name: kept(rows) for name, rows in found.items()}
    for name, each in by_run.items():
        shown.add_row(name, str(len(found[name])), *(cell(each[rule]) for rule in RULES))
    shown.add_section()
    means = (mean_share([each[rule] for each in by_run.values()]) for rule in RULES)
    shown.add_row("mean share", "", *means)
    return shown


def cell(value: tuple[float, float] | None) -> str:
    """A return with its share."""
    return "-" if value is None else f"{value[0]:.0f} ({value[1]:.0%})"


def mean_share(values: Sequence[tuple[float, float] | None]) -> str:
    """Mean of the shares that are known, with their number if some are not."""
    shares = [value[1] for value in values if value is not None and not math.isnan(value[1])]
    if not shares:
        return "-"
    count = "" if len(shares) == len(values) else f" of {len(shares)}"
    return f"{np.mean(shares):.0%}{count}"


if __name__ == "__main__":
    typer.run(main)
