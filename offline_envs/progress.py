"""`LiveProgress`: a live bar on a terminal, periodic lines elsewhere, or silence."""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn

__all__ = ["SECONDS_BETWEEN_LINES", "LiveProgress"]

SECONDS_BETWEEN_LINES = 30.0
"""Time between lines where there is no terminal [s]."""


class LiveProgress:
    """Progress on standard error, shown while it is a context; a subclass has one task and its columns.

    Args:
        *columns: Columns of the bar; rich's own if there are none.
        shown: Whether to show anything.
        kind: Class of the bar.
        **options: Further keywords of the bar.
    """

    def __init__(
        self, *columns: ProgressColumn, shown: bool, kind: type[Progress] = Progress, **options: Any
    ) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        live = shown and self._console.is_terminal
        self._bar = kind(*columns, console=self._console, disable=not live, **options)
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace  # Unused.
        self.stop()

    def start(self) -> None:
        """Start drawing."""
        self._bar.start()

    def stop(self) -> None:
        """Stop drawing; a second call does nothing."""
        if not self._bar.disable:  # before rich 14 one that draws nothing ends with an empty line
            self._bar.stop()

    def note(self, text: str) -> None:
        """Print a line of text, above the bar if there is one."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def line(self, text: str, *, last: bool) -> None:
        """Print a line where there is no terminal, unless it comes soon after another and is not the last."""
        now = time.monotonic()
        if not self._console.is_terminal and (last or now - self._last_line > SECONDS_BETWEEN_LINES):
            self.note(text)
            self._last_line = now
