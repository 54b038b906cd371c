"""Progress of a fit: a live bar on a terminal, periodic log lines elsewhere, or silence."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from offline_envs.progress import LiveProgress


class FitProgress(LiveProgress):
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
        super().__init__(shown=shown, kind=_Bar)
        self._steps, self._max_epochs, self._epochs = steps, max_epochs, done
        left = "left in epoch" if max_epochs is None else "left at most"
        self._task = self._bar.add_task(
            f"Fitting {n_members} members", total=None, epoch="", left=left, figures=""
        )
        self._begin_epoch()

    def step(self, done: int) -> None:
        """Show that `done` gradient steps of the epoch are finished."""
        before = 0 if self._max_epochs is None else self._epochs * self._steps
        self._bar.update(self._task, completed=before + done)

    def epoch(self, train_loss: float, holdout_mse: Sequence[float], *, last: bool) -> None:
        """Show the figures of a finished epoch."""
        self._epochs += 1
        errors = " ".join(f"{mse:.3g}" for mse in holdout_mse)
        figures = f"train NLL {train_loss:.4g}   holdout MSE of each member {errors}"
        self._bar.update(self._task, figures=figures)
        self.line(f"Epoch {self._epochs}: {figures}", last=last)
        if not last:
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        if self._max_epochs is None:
            self._bar.reset(self._task, total=self._steps)  # which would drop fields that it is not given
            self._bar.update(self._task, epoch=f"epoch {self._epochs + 1}")
            return
        total = self._max_epochs * self._steps
        self._bar.update(self._task, total=total, epoch=f"epoch {self._epochs + 1}/{self._max_epochs}")


class _Bar(Progress):
    """A progress bar with a line of figures below it."""

    def __init__(self, **options: Any) -> None:
        columns = (
            TextColumn("{task.description}  {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("{task.fields[left]}, total"),
            TimeElapsedColumn(),
        )
        super().__init__(*columns, refresh_per_second=4, **options)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, then the figures of the last epoch."""
        yield from super().get_renderables()
        for task in self.tasks:
            if task.fields["figures"]:
                yield Text(task.fields["figures"], style="dim")
