"""`offline-envs relabel`: a dataset with the reward of a task."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline_envs.cli.terminal.options import Dataset, EnvId, EnvKwargs, parse_env

if TYPE_CHECKING:
    from offline_envs.tasks import RelabelReport


def relabel(
    dataset: Dataset,
    task: Annotated[
        str, typer.Option(help="Task with settings after a colon, e.g. ant-angle:degrees=45,survive_bonus=1.")
    ],
    output_id: Annotated[
        str | None, typer.Option(help="Id of a new dataset to write, e.g. my/jump-v0; without, report only.")
    ] = None,
    output_root: Annotated[
        Path | None, typer.Option(help="Folder of datasets to write into.", show_default="Minari's own")
    ] = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
) -> None:
    """Relabel a dataset, collected under another reward, for a task, and say how exact that is.

    Every other command takes --task itself; a written dataset is for other programs.
    """
    from offline_envs.collect import check_new, write_relabelled
    from offline_envs.data import minari_root
    from offline_envs.tasks import Relabelling

    root = minari_root() if output_root is None else output_root
    if output_id is not None:
        check_new(output_id, root)
    found = Relabelling.of(dataset, task, env_id=parse_env(env_id, env_kwargs))
    console = Console()
    console.print(_table(found.report))
    if output_id is not None:
        folder = write_relabelled(found, output_id, root=root)
        console.print(f"Wrote {output_id}: {folder}", soft_wrap=True, markup=False, highlight=False)


def _table(report: "RelabelReport") -> Table:
    table = Table(title=escape(f"{report.dataset} relabelled for {report.task}"), show_header=False)
    table.add_column(style="bold")
    table.add_column()
    rows = {
        "steps": f"{report.rows:,} in {report.episodes:,} episodes",
        "return as logged": f"mean {report.mean_before:.1f}, best {report.best_before:.1f}",
        "return of the task": f"mean {report.mean_after:.1f}, best {report.best_after:.1f}",
        "reward": report.formula,
        "task": report.source,
    }
    for name, value in rows.items():
        table.add_row(name, escape(value))
    for info in report.infos:
        table.add_row("needed info", escape(str(info)))
    for note in report.notes:
        table.add_row("note", escape(note))
    return table
