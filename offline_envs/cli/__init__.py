"""The command `offline-envs`.

Each command is one file, is listed below, and imports slow modules only when it runs, so that `--help` is
quick.
"""

from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from offline_envs.cli.cache import cache
from offline_envs.cli.collect import collect
from offline_envs.cli.demo import demo
from offline_envs.cli.diagnose import diagnose
from offline_envs.cli.evaluate import evaluate
from offline_envs.cli.fit import fit
from offline_envs.cli.info import info
from offline_envs.cli.presets import presets
from offline_envs.cli.relabel import relabel
from offline_envs.cli.tasks import tasks
from offline_envs.cli.train import train
from offline_envs.errors import OfflineEnvsError
from offline_envs.plugins import import_plugins, load_installed_plugins

__all__ = ["app", "main"]


class _Group(TyperGroup):
    """Show this package's own errors as one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of this package ends it with status 1."""
        try:
            return super().invoke(ctx)
        except OfflineEnvsError as error:
            line = " ".join(f"Error: {error}".split())
            Console(stderr=True).print(line, style="bold red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="offline-envs",
    help="Environments learned from a fixed dataset: collect data, fit and evaluate models, train policies.",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def load_plugins(
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="Import a module that registers more names; repeatable."
        ),
    ] = None,
) -> None:
    """Load what other packages register, before the command reads its arguments."""
    load_installed_plugins()
    import_plugins(modules or ())


for command in (demo, info, fit, diagnose, train, presets, tasks, relabel, evaluate, collect):
    app.command(command.__name__)(command)
app.add_typer(cache, name="cache")


def main() -> None:
    """Run the command line."""
    app()
