"""Progress of the training of discriminators."""

from types import TracebackType
from typing import Self

from offline_envs.progress import LiveProgress


class TrainingProgress(LiveProgress):
    """Progress of a training, on standard error; where there is no terminal, one line at its start.

    Args:
        n_steps: Gradient steps of the whole training.
        n_rows: Rows of the dataset.
        shown: Whether to show anything.
    """

    def __init__(self, n_steps: int, n_rows: int, *, shown: bool = True) -> None:
        super().__init__(shown=shown)
        self._what = f"Training discriminators on {n_rows} transitions"
        self._task = self._bar.add_task(self._what, total=n_steps)
        self._done = 0

    def __enter__(self) -> Self:
        self.line(f"{self._what} …", last=True)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if kind is KeyboardInterrupt:
            self.note(f"Interrupted after {self._done} steps; the same call resumes at the last snapshot.")

    def update(self, done: int) -> None:
        """Show that `done` gradient steps are finished."""
        self._done = done
        self._bar.update(self._task, completed=done)
