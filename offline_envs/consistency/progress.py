"""Progress of the training of discriminators: a live bar on a terminal, one line elsewhere, or silence."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress


class TrainingProgress:
    """Progress of a training, on standard error.

    Args:
        n_steps: Gradient steps of the whole training.
        n_rows: Rows of the dataset.
        shown: Whether to show anything.
    """

    def __init__(self, n_steps: int, n_rows: int, *, shown: bool = True) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._bar = Progress(console=self._console, disable=not (shown and self._console.is_terminal))
        self._what = f"Training discriminators on {n_rows} transitions"
        self._task = self._bar.add_task(self._what, total=n_steps)
        self._done = 0

    def __enter__(self) -> Self:
        if not self._console.is_terminal:
            self._say(f"{self._what} …")
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del error, trace  # Unused.
        self._bar.stop()
        if kind is KeyboardInterrupt:
            self._say(f"Interrupted after {self._done} steps; the same call resumes at the last snapshot.")

    def update(self, done: int) -> None:
        """Show that `done` gradient steps are finished."""
        self._done = done
        self._bar.update(self._task, completed=done)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
