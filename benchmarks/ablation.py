"""MOPO's ablation study: what model and penalty contribute, cell by cell, in normal runs.

The cells are those of Yu et al. 2020 (arXiv v1): with and without Lipschitz regularisation (spectral
normalisation), the learned variance, the ensemble penalty or none, a single network, and the true error of
the simulator as a bound. Each cell is a folder with a run a seed; what is complete is not run again, and what
was interrupted is resumed. `--table` only prints the table of what there is.

    python benchmarks/ablation.py DATASET --preset mopo/halfcheetah-jump --steps 50000 --seeds 0,1
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import true_error
import typer
from cells import cell_settings, chosen_cells, run_cells
from rich.console import Console
from rich.table import Table

from offline_envs.runs import (
    ALGORITHMS,
    IN_MODEL,
    MetricsRow,
    ModelBased,
    RunFolder,
    Spread,
    TrainResult,
    TrainSettings,
    merged,
    preset,
)

TRUE_ERROR = ALGORITHMS.register(
    "mopo-true-error",
    ModelBased(
        true_error.ENV_ID,
        uses=(*IN_MODEL, "penalty_coef", "penalty_scale"),
        env_settings=("penalty_coef", "penalty_scale"),
    ),
)
"""MOPO with the simulator's errors as the penalty."""

LAST = 10
"""Evaluations at the end of a run whose mean is shown: one is a draw."""


@dataclass(frozen=True)
class Cell:
    """One cell of the study.

    Attributes:
        penalty: What is subtracted, in words.
        algorithm: Algorithm of its runs.
        measure: Setting `penalty` of its runs, or None where it has none.
        lipschitz: Whether its model is spectrally normalised.
        ensemble: Whether its model has several members, or is a single network.
    """

    penalty: str
    algorithm: str = "mopo"
    measure: str | None = None
    lipschitz: bool = True
    ensemble: bool = True

    def settings(self, common: Mapping[str, Any], bound: float = 1.0) -> TrainSettings:
        """Settings of its runs.

        Args:
            common: Settings that all cells share; those that its algorithm does not use are left out.
            bound: Largest singular value of the layers of a spectrally normalised model.

        Raises:
            SettingsError: See `TrainSettings`.
        """
        shape = {"n_members": 1, "n_elites": 1} if not self.ensemble else {}
        tight = {"spectral_bound": bound} if self.lipschitz else {}
        own: dict[str, Any] = {
            "algorithm": self.algorithm,
            "ensemble": {**shape, "spectral_norm": self.lipschitz, **tight},
        }
        if self.measure is not None:
            own["penalty"] = self.measure
        return cell_settings(common, own)


LEARNED, DISAGREEMENT, NONE, TRUE = "learned variance", "ensemble", "none", "true error"
CELLS: Mapping[str, Cell] = {
    "mopo": Cell(LEARNED, measure="max_std"),
    "no-lip": Cell(LEARNED, measure="max_std", lipschitz=False),
    "no-ens": Cell(LEARNED, measure="max_std", ensemble=False),
    "ens-pen": Cell(DISAGREEMENT, measure="max_deviation"),
    "ens-pen-no-lip": Cell(DISAGREEMENT, measure="max_deviation", lipschitz=False),
    "no-pen": Cell(NONE, "mbpo"),
    "mbpo": Cell(NONE, "mbpo", lipschitz=False),
    "mbpo-no-ens": Cell(NONE, "mbpo", lipschitz=False, ensemble=False),
    "true-error": Cell(TRUE, "mopo-true-error"),
    "true-error-no-lip": Cell(TRUE, "mopo-true-error", lipschitz=False),
}


def main(
    dataset: Annotated[str, typer.Argument(help="Id or path.")],
    folder: Annotated[Path, typer.Option(help="Folder of the cells.")] = Path("runs/ablation"),
    cells: Annotated[str, typer.Option(help="Cells to run or show, e.g. mopo,no-lip.")] = ",".join(CELLS),
    from_preset: Annotated[str | None, typer.Option("--preset", help="Settings that all share.")] = None,
    task: Annotated[str | None, typer.Option(help="Task whose reward the dataset gets.")] = None,
    agent: Annotated[str, typer.Option(help="Agent of all cells.")] = "fastsac",
    steps: Annotated[int, typer.Option(help="Gradient steps.", min=1)] = 50_000,
    seeds: Annotated[str, typer.Option(help="Seeds, one run each.")] = "0,1",
    spectral_bound: Annotated[float, typer.Option(help="Largest singular value of Lipschitz models.")] = 1.0,
    settings: Annotated[str, typer.Option(help="Further settings of all runs, JSON.")] = "{}",
    table: Annotated[bool, typer.Option("--table", help="Run nothing, show what is complete.")] = False,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
) -> None:
    """Run the cells that are not complete, and print the table."""
    if threads:
        torch.set_num_threads(threads)
    chosen = chosen_cells(cells, CELLS)
    if not table:
        given: dict[str, Any] = {"dataset": dataset, "agent": agent, "gradient_steps": steps}
        named = {} if from_preset is None else preset(from_preset).settings
        if task is not None:
            given["task"] = task
        common = merged(merged(named, given), json.loads(settings))
        runs = {name: CELLS[name].settings(common, spectral_bound) for name in chosen}
        run_cells(runs, [int(seed) for seed in seeds.split(",")], folder)
    Console().print(result_table({name: complete_runs(folder / name) for name in chosen}, dataset))


@dataclass(frozen=True)
class CompleteRun:
    """What a run left."""

    result: TrainResult
    evaluations: Sequence[MetricsRow]

    @property
    def tail(self) -> float:
        """Mean real return of the last evaluations."""
        last = [row.real_return for row in self.evaluations[-LAST:]]
        return sum(last) / len(last)


def complete_runs(folder: Path) -> list[CompleteRun]:
    """The complete runs of a cell, in the order of their folders."""
    runs = [RunFolder(path) for path in sorted(folder.glob("seed-*"))]
    return [CompleteRun(run.result(), run.read_metrics()) for run in runs if run.result_file.exists()]


def result_table(found: Mapping[str, Sequence[CompleteRun]], dataset: str) -> Table:
    """Returns of each cell over its seeds."""
    table = Table(title=f"MOPO's ablation, {dataset}")
    for column in ("cell", "Lipschitz", "ensemble", "penalty"):
        table.add_column(column)
    for column in ("seeds", "last policy", f"last {LAST} evaluations"):
        table.add_column(column, justify="right")
    for name, runs in found.items():
        cell = CELLS[name]
        shape = ("yes" if given else "no" for given in (cell.lipschitz, cell.ensemble))
        finals, tails = spread([r.result.real_return for r in runs]), spread([r.tail for r in runs])
        table.add_row(name, *shape, cell.penalty, str(len(runs)), finals, tails)
    return table


def spread(values: Sequence[float]) -> str:
    """Mean ± deviation over seeds, in whole numbers; nothing of no values."""
    if not values:
        return ""
    found = Spread.of(values)
    return f"{found.mean:.0f}" if len(values) == 1 else f"{found.mean:.0f} ± {found.std:.0f}"


if __name__ == "__main__":
    typer.run(main)
