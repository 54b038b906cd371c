"""`offline-envs sweep`: a run under every combination of some settings, on Ray."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline_envs.cli.terminal.options import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offline_envs.sweep import CellResult

Config = Annotated[Path, typer.Argument(help="TOML file with the tables settings, grid, stop and resources.")]
Folder = Annotated[Path, typer.Option(help="Folder of the runs; on a cluster, one that all machines share.")]
Address = Annotated[
    str | None,
    typer.Option(help="Address of a Ray cluster, or auto for the running one.", show_default="this machine"),
]
OnlyTable = Annotated[bool, typer.Option("--table", help="Only print what there is so far.")]


def sweep(
    context: typer.Context,
    config: Config,
    folder: Folder = Path("runs/sweep"),
    address: Address = None,
    table: OnlyTable = False,
) -> None:
    """Train the runs of CONFIG, every combination of its grid, and print their results.

    Models are fitted once for all runs that can share them. After any interruption the same command resumes.
    """
    from offline_envs.sweep import SweepConfig, cell_results, cells, run_sweep, write_results

    wanted = SweepConfig.read(config)
    try:
        found = cells(wanted) if table else run_sweep(wanted, folder, address=address, prepare=context.obj)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Run the same command to resume.")
        raise typer.Exit(INTERRUPTED) from None
    rows = cell_results(found, folder)
    if folder.exists():
        write_results(rows, folder)
    console = Console()
    console.print(_table(rows))
    console.print(f"Runs, results.csv and returns.png: {folder}", soft_wrap=True, markup=False)


def _table(rows: "Sequence[CellResult]") -> Table:
    table = Table(expand=True)
    for name in ("combination", "seeds", "real return", "normalised", "predicted", "stopped", "missing"):
        if name == "combination":
            table.add_column(name, overflow="fold", ratio=1)
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        real, score, predicted = row.real_return, row.normalized_score, row.predicted_return
        figures = [
            "" if real is None else f"{real.mean:.0f} ± {real.std:.0f}",
            "" if score is None else f"{score.mean:.1f}",
            "" if predicted is None else f"{predicted:.0f}",
        ]
        ended = ", ".join(str(step) for step in row.stopped)
        table.add_row(escape(row.group), str(len(row.results)), *figures, ended, str(row.missing or ""))
    return table
