"""The command `offline-envs`.

Each command is one file, except that those that only list names share one. Each is listed below, and imports
slow modules only when it runs, so that `--help` is quick.
"""

import codecs
import sys
import warnings
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from offline_envs import __version__
from offline_envs.cli.cache import cache
from offline_envs.cli.collect import collect
from offline_envs.cli.compare import compare
from offline_envs.cli.demo import demo
from offline_envs.cli.diagnose import diagnose
from offline_envs.cli.evaluate import evaluate
from offline_envs.cli.export import export
from offline_envs.cli.film import film
from offline_envs.cli.fit import fit
from offline_envs.cli.info import info
from offline_envs.cli.listings import presets, tasks
from offline_envs.cli.relabel import relabel
from offline_envs.cli.sweep import sweep
from offline_envs.cli.train import train
from offline_envs.errors import OfflineEnvsError
from offline_envs.plugins import load_plugins

__all__ = ["app", "main"]


PLAIN = "offline_envs.plain"
"""Name under which `_plain` is known to Python's codecs."""

PLAIN_LETTERS = {"±": "~", "−": "-", "…": ".", **dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True))}
"""What a terminal without these letters gets; one letter for one keeps tables in shape."""


class _Group(TyperGroup):
    """Show this package's own errors, and those of the system, as one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of this package or of the system ends it with status 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the output has closed it, which the caller handles
        except (OfflineEnvsError, OSError) as error:
            _print_line(f"Error: {_words(error)}", style="bold red")
            raise typer.Exit(1) from error


def _print_line(text: str, *, style: str) -> None:
    """Print text as one line on standard error."""
    line = " ".join(text.split())
    Console(stderr=True).print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _words(error: Exception) -> str:
    """An error as a sentence; one of the system begins with the file, if there is one."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


app = typer.Typer(
    name="offline-envs",
    help="Environments learned from a fixed dataset: collect data, fit and evaluate models, train policies.",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"offline-envs {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="Import a module that registers more names; repeatable."
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Load what other packages register, before the command reads its arguments."""
    del version  # it has been printed
    context.obj = partial(load_plugins, modules or ())  # for commands that start processes
    context.obj()


for command in (
    demo,
    info,
    fit,
    diagnose,
    train,
    sweep,
    presets,
    tasks,
    relabel,
    evaluate,
    export,
    compare,
    film,
    collect,
):
    app.command(command.__name__)(command)
app.add_typer(cache, name="cache")


def main() -> None:
    """Run the command line, also in a terminal that cannot print every letter."""
    warnings.showwarning = partial(_show_warning, warnings.showwarning)
    codecs.register_error(PLAIN, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=PLAIN)
    app()


def _show_warning(
    otherwise: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *place: Any,
    **options: Any,
) -> None:
    """Show a warning to the user as one line; those to programmers with their place in the code."""
    if category is UserWarning:
        _print_line(f"Warning: {message}", style="yellow")
    else:
        otherwise(message, category, *place, **options)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace the letters that an encoding does not have."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(PLAIN_LETTERS.get(letter, "?") for letter in letters), error.end
