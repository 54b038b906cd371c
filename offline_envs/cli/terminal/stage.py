"""`Stage`: progress of a part of a command's work."""

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from offline_envs.progress import LiveProgress


class Stage(LiveProgress):
    """Progress over a known number of steps, on standard error.

    Args:
        text: What is done.
        total: Number of steps, or the most there can be.
    """

    def __init__(self, text: str, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, shown=True)
        self._text, self._total, self._done = text, total, 0
        self._task = self._bar.add_task(text, total=total)

    def step(self) -> None:
        """Show that another step is done."""
        self._done += 1
        self._bar.advance(self._task)
        self.line(f"{self._text}: {self._done} of {self._total}", last=False)
