"""`offline-envs presets`: settings from papers, releases and our own runs."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def presets() -> None:
    """List the presets that `offline-envs train --preset NAME` takes, with the tables they come from."""
    from offline_envs.runs import PRESETS

    table = Table(title="Presets")
    for column in ("name", "settings", "source"):
        table.add_column(column, overflow="fold")
    for preset in PRESETS.values():
        settings = ", ".join(f"{k}={v}" for k, v in preset.settings.items() if k != "algorithm")
        table.add_row(*map(escape, (preset.name, settings, preset.source)))
    Console().print(table)
