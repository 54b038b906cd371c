"""Progress of a fit: a live bar on a terminal, periodic log lines elsewhere, or silence."""

import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

SECONDS_BETWEEN_LINES = 30.0
"""Time between lines where there is no terminal [s]."""


class FitProgress:
    """Progress of a fit, on standard error.

    How many epochs early stopping will take is not known beforehand. The time left is that of the epoch, or,
    with `max_epochs`, the maximum for the complete fit.

    Args:
        n_members: Number of members.
        steps: Gradient steps of an epoch.
        max_epochs: Upper limit of epochs, or None.
        done: Epochs that an earlier call finished.
        shown: Whether to show anything.
    """

    def __init__(
        self, n_members: int, steps: int, *, max_epochs: int | None, done: int = 0, shown: bool = True
    ) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._steps, self._max_epochs, self._epochs = steps, max_epochs, done
        self._bar = _Bar(self._console, disable=not (shown and self._console.is_terminal))
        left = "left in epoch" if max_epochs is None else "left at most"
        self._task = self._bar.add_task(f"Fitting {n_members} members", total=None, epoch="", left=left)
        self._last_line = time.monotonic()
        self._begin_epoch()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace  # Unused.
        self._bar.stop()

    def step(self, done: int) -> None:
        """Show that `done` gradient steps of the epoch are finished."""
        before = 0 if self._max_epochs is None else self._epochs * self._steps
        self._bar.update(self._task, completed=before + done)

    def epoch(self, train_loss: float, holdout_mse: Sequence[float], *, last: bool) -> None:
        """Show the figures of a finished epoch."""
        self._epochs += 1
        errors = " ".join(f"{mse:.3g}" for mse in holdout_mse)
        self._bar.figures = f"train NLL {train_loss:.4g}   holdout MSE of each member {errors}"
        now = time.monotonic()
        if not self._console.is_terminal and (last or now - self._last_line > SECONDS_BETWEEN_LINES):
            self.note(f"Epoch {self._epochs}: {self._bar.figures}")
            self._last_line = now
        if not last:
            self._begin_epoch()

    def note(self, text: str) -> None:
        """Print a line of text above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _begin_epoch(self) -> None:
        if self._max_epochs is None:
            self._bar.reset(self._task, total=self._steps, epoch=f"epoch {self._epochs + 1}")
            return
        total = self._max_epochs * self._steps
        self._bar.update(self._task, total=total, epoch=f"epoch {self._epochs + 1}/{self._max_epochs}")


class _Bar(Progress):
    """A progress bar with a line of figures below it."""

    def __init__(self, console: Console, *, disable: bool) -> None:
        self.figures = ""
        columns = (
            TextColumn("{task.description}  {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("{task.fields[left]}, total"),
            TimeElapsedColumn(),
        )
        super().__init__(*columns, console=console, disable=disable, refresh_per_second=4)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, then the figures of the last epoch."""
        yield from super().get_renderables()
        if self.figures:
            yield Text(self.figures, style="dim")
