"""Progress of a run, and of several at once."""

import math
from collections.abc import Mapping
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from offline_envs.progress import LiveProgress

STOPPING = "Stopping at the end of this cycle, so that the run can resume exactly; again to stop at once."


class _GradientSteps(LiveProgress):
    """Bars that count gradient steps, on standard error.

    Args:
        total: Gradient steps of a run.
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


class RunProgress(_GradientSteps):
    """Progress of a training run."""

    def __init__(self, total: int, *, shown: bool) -> None:
        super().__init__(total, shown=shown)
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


class RunsProgress(_GradientSteps):
    """Progress of several runs at once, from one evaluation to the next."""

    def __init__(self, total: int, *, shown: bool) -> None:
        super().__init__(total, shown=shown)
        self._tasks: dict[str, TaskID] = {}

    def started(self, name: str) -> None:
        """Show a run."""
        self._tasks[name] = self._bar.add_task(name, total=self._total)

    def evaluated(self, name: str, row: Mapping[str, Any]) -> None:
        """Show an evaluation, a row of metrics."""
        figures = f"{name}: real return {row['real_return']:.0f} ± {row['real_std']:.0f}"
        steps = row["gradient_steps"]
        self._bar.update(self._tasks[name], completed=steps, description=figures)
        text = f"{figures} after {steps} of {self._total} gradient steps"
        self.line(text, last=steps >= self._total)
