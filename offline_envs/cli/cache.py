"""`offline-envs cache`: list what is cached for what, its size, and delete it."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from offline_envs.dynamics import CacheEntry

SECONDS_PER_DAY = 86_400

cache = typer.Typer(
    help="Fitted models and what was computed from them, in the folder that OFFLINE_ENVS_CACHE names or the "
    "user's cache folder.",
    no_args_is_help=True,
)


@cache.command("list")
def list_entries() -> None:
    """List what is cached, for which dataset and settings, the oldest first."""
    from offline_envs.dynamics import cache_entries, cache_folder

    table = Table(title=Text(str(cache_folder())))
    table.add_column("kind", no_wrap=True)
    for name in ("dataset and fingerprint", "other than the defaults"):
        table.add_column(name, overflow="fold")
    for name in ("key", "MB", "days"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in cache_entries():
        origin = f"{entry.dataset} {entry.fingerprint[:8]}"
        cells = (entry.kind, origin, entry.settings, entry.path.name[:8])
        table.add_row(*map(Text, cells), f"{entry.size / 1e6:.2f}", f"{_age(entry):.1f}")
    Console().print(table)


@cache.command()
def size() -> None:
    """Print how many entries of each kind there are, and their size."""
    from offline_envs.dynamics import cache_entries, cache_folder

    entries = cache_entries()
    for kind in sorted({entry.kind for entry in entries}):
        _say(_total(kind, [entry for entry in entries if entry.kind == kind]))
    _say(f"{_total('total', entries)} in {cache_folder()}")


@cache.command()
def prune(
    older_than: Annotated[
        float | None, typer.Option(help="Also delete what was written more than this many days ago.", min=0)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete everything.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, on a terminal either.")] = False,
) -> None:
    """Delete what killed processes left behind; models and other results only if asked to.

    What a living process works on is kept. On a terminal, a question comes before results are deleted.
    """
    from offline_envs.dynamics import LEFTOVER, cache_entries

    days = 0.0 if everything else older_than
    chosen = [e for e in cache_entries() if e.kind == LEFTOVER or (days is not None and _age(e) >= days)]
    results = [entry for entry in chosen if entry.kind != LEFTOVER]
    if results and sys.stdin.isatty() and not yes:
        typer.confirm(f"Delete {_total('results', results)}?", abort=True)
    _delete(chosen)


def _delete(entries: "list[CacheEntry]") -> None:
    from offline_envs.dynamics import delete_entry

    deleted = []
    for entry in entries:
        if delete_entry(entry):
            deleted.append(entry)
            _say(f"Deleted {_named(entry)}")
        else:
            _say(f"Kept {_named(entry)}: a process works on it, or the system does not permit it")
    _say(_total("deleted", deleted))


def _named(entry: "CacheEntry") -> str:
    what = f"{entry.kind} of {entry.dataset}" if entry.dataset else entry.kind
    return f"{what}: {entry.path}"


def _total(name: str, entries: "list[CacheEntry]") -> str:
    return f"{name}: {len(entries)}, {sum(entry.size for entry in entries) / 1e6:.2f} MB"


def _age(entry: "CacheEntry") -> float:
    """Days since the last change."""
    return max(0.0, (time.time() - entry.modified) / SECONDS_PER_DAY)


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
