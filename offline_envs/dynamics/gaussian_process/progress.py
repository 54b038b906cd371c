"""Progress of a fit output by output: a bar on a terminal, periodic lines elsewhere, or silence."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from offline_envs.dynamics.fitting.progress import SECONDS_BETWEEN_LINES


class OutputProgress:
    """Progress of a Gaussian process's fit, on standard error.

    Args:
        n_outputs: Number of outputs.
        steps: Steps of each.
        done: Outputs that an earlier call finished.
        shown: Whether to show anything.
    """

    def __init__(self, n_outputs: int, steps: int, *, done: int, shown: bool) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._n_outputs, self._steps, self._done = n_outputs, steps, done
        self._bar = Progress(
            TextColumn("{task.description}  output {task.fields[output]}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("left, total"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not (shown and self._console.is_terminal),
        )
        self._task = self._bar.add_task(
            "Fitting a Gaussian process", total=n_outputs * steps, completed=done * steps, output=self._now()
        )
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace  # Unused.
        self._bar.stop()

    def step(self, done: int) -> None:
        """Show that `done` steps of the output are finished."""
        self._bar.update(self._task, completed=self._done * self._steps + done)

    def output(self, loss: float) -> None:
        """Show the loss of a finished output."""
        self._done += 1
        now = time.monotonic()
        last = self._done == self._n_outputs
        if not self._console.is_terminal and (last or now - self._last_line > SECONDS_BETWEEN_LINES):
            text = (
                f"Output {self._done} of {self._n_outputs}: negative log marginal likelihood {loss:.4g} a row"
            )
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
            self._last_line = now
        self._bar.update(self._task, output=self._now())

    def _now(self) -> str:
        return f"{min(self._done + 1, self._n_outputs)}/{self._n_outputs}"
