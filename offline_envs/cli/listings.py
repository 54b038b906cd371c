"""`offline-envs presets` and `offline-envs tasks`: what there is by name."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from offline_envs.tasks import Task


def presets() -> None:
    """List the presets that `offline-envs train --preset NAME` takes, their sources, and what differs."""
    from offline_envs.runs import PRESETS

    table = Table(title="Presets")
    for column in ("name", "settings", "source", "what differs"):
        table.add_column(column, overflow="fold")
    for preset in PRESETS.values():
        settings = ", ".join(f"{k}={v}" for k, v in preset.settings.items() if k != "algorithm")
        table.add_row(*map(escape, (preset.name, settings, preset.source, preset.differs)))
    Console().print(table)


def tasks() -> None:
    """List the tasks: custom rewards on known environments, for data collected under another reward."""
    from offline_envs.tasks import known_tasks

    console = Console()
    for task in known_tasks():
        console.print(_task_table(task))


def _task_table(task: "Task") -> Table:
    """Describe a task with its default settings."""
    from offline_envs.tasks import task_settings

    table = Table(title=task.name, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        "environment": f"{task.env_id}, with the physics of {task.base_env_id}",
        "reward": task.formula,
        "settings": ", ".join(f"{name}={value}" for name, value in task_settings(task.name).items()),
        "returns on the paper's data": ", ".join(
            f"{name} {value:g}" for name, value in task.references.items()
        ),
        "source": task.source,
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, escape(value))
    return table
