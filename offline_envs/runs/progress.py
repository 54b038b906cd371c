"""Progress of a run: a live bar on a terminal, periodic lines elsewhere, or nothing."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 30.0
"""Time between lines where there is no terminal [s]."""


class RunProgress:
    """Progress of a training run, on standard error.

    Args:
        total: Gradient steps of the run.
        shown: Whether to show anything.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._total = total
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("gradient steps, left"),
            TimeRemainingColumn(),
            TextColumn("total"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not (shown and self._console.is_terminal),
            refresh_per_second=2,
        )
        self._task = self._bar.add_task("Training", total=total)
        self._last_line = 0.0

    def start(self) -> None:
        """Start drawing."""
        self._bar.start()

    def stop(self) -> None:
        """Stop drawing; a second call does nothing."""
        self._bar.stop()

    def advance_to(self, gradient_steps: int) -> None:
        """Show the number of gradient steps taken."""
        self._bar.update(self._task, completed=gradient_steps)

    def note(self, text: str) -> None:
        """Print a line of text."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def evaluated(self, gradient_steps: int, figures: str) -> None:
        """Show the figures of an evaluation."""
        self._bar.update(self._task, completed=gradient_steps, description=figures)
        now = time.monotonic()
        last = gradient_steps >= self._total
        if not self._console.is_terminal and (last or now - self._last_line > SECONDS_BETWEEN_LINES):
            self.note(f"{gradient_steps} of {self._total} gradient steps: {figures}")
            self._last_line = now
