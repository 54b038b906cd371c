"""Progress of a run."""

import math

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from offline_envs.progress import LiveProgress


class RunProgress(LiveProgress):
    """Progress of a training run, on standard error.

    Args:
        total: Gradient steps of the run.
        shown: Whether to show anything.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("gradient steps, left"),
            TimeRemainingColumn(),
            TextColumn("total"),
            TimeElapsedColumn(),
            shown=shown,
            refresh_per_second=2,
        )
        self._total = total
        self._task = self._bar.add_task("Training", total=total)
        self._last_line = -math.inf  # the first evaluation is news

    def advance_to(self, gradient_steps: int) -> None:
        """Show the number of gradient steps taken."""
        self._bar.update(self._task, completed=gradient_steps)

    def evaluated(self, gradient_steps: int, figures: str) -> None:
        """Show the figures of an evaluation."""
        self._bar.update(self._task, completed=gradient_steps, description=figures)
        text = f"{gradient_steps} of {self._total} gradient steps: {figures}"
        self.line(text, last=gradient_steps >= self._total)
