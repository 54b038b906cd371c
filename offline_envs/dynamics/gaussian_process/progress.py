"""Progress of a fit output by output."""

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from offline_envs.progress import LiveProgress


class OutputProgress(LiveProgress):
    """Progress of a Gaussian process's fit, on standard error.

    Args:
        n_outputs: Number of outputs.
        steps: Steps of each.
        done: Outputs that an earlier call finished.
        shown: Whether to show anything.
    """

    def __init__(self, n_outputs: int, steps: int, *, done: int, shown: bool) -> None:
        super().__init__(
            TextColumn("{task.description}  output {task.fields[output]}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("left, total"),
            TimeElapsedColumn(),
            shown=shown,
        )
        self._n_outputs, self._steps, self._done = n_outputs, steps, done
        self._task = self._bar.add_task(
            "Fitting a Gaussian process", total=n_outputs * steps, completed=done * steps, output=self._now()
        )

    def step(self, done: int) -> None:
        """Show that `done` steps of the output are finished."""
        self._bar.update(self._task, completed=self._done * self._steps + done)

    def output(self, loss: float) -> None:
        """Show the loss of a finished output."""
        self._done += 1
        text = f"Output {self._done} of {self._n_outputs}: negative log marginal likelihood {loss:.4g} a row"
        self.line(text, last=self._done == self._n_outputs)
        self._bar.update(self._task, output=self._now())

    def _now(self) -> str:
        return f"{min(self._done + 1, self._n_outputs)}/{self._n_outputs}"
