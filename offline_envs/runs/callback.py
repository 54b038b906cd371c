"""`RunCallback`: what happens at each evaluation of a run."""

import time
from collections.abc import Callable
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from offline_envs.runs.checkpoint import save_checkpoint
from offline_envs.runs.folder import RunFolder
from offline_envs.sb3 import EvaluationRecord, RealEvalCallback

CHECKPOINT_SECONDS = 300.0
"""Least time between checkpoints while a run goes on; the replay buffer makes them large."""


class RunCallback(RealEvalCallback):
    """Evaluate in the real environment and in the model, write the metrics, and keep the run resumable.

    Args:
        folder: The run's folder.
        rows: Evaluations of an earlier, interrupted part of the run.
        predicted_return: Gives the return that the model predicts for the policy as it is.
        total_gradient_steps: Length of the run, for the progress bar.
        show_progress: Whether to draw a progress bar.
        **options: Settings of `RealEvalCallback`.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        rows: list[dict[str, Any]],
        predicted_return: Callable[[], float],
        total_gradient_steps: int,
        show_progress: bool,
        **options: Any,
    ) -> None:
        best = max((row["real_return"] for row in rows), default=float("-inf"))
        super().__init__(folder=folder.policies, best_return=best, **options)
        self.rows = rows
        self._run_folder, self._predicted_return = folder, predicted_return
        self._seconds_before = rows[-1]["seconds"] if rows else 0.0
        self._started = self._saved = time.monotonic()
        self._progress = _progress(disable=not show_progress)
        self._task = self._progress.add_task("training", total=total_gradient_steps)

    def _on_training_start(self) -> None:
        super()._on_training_start()
        self._progress.start()

    def _on_rollout_start(self) -> None:
        super()._on_rollout_start()
        self._progress.update(self._task, completed=self._gradient_steps())

    def _on_training_end(self) -> None:
        super()._on_training_end()
        self._progress.update(self._task, completed=self._gradient_steps())

    def stop_progress(self) -> None:
        """Leave the progress bar, whether or not the training came to its end."""
        self._progress.stop()

    def evaluate(self) -> EvaluationRecord:
        """Evaluate the policy in both worlds and write a row of metrics."""
        record = super().evaluate()
        result = record.result
        score = result.normalized_score
        self.rows.append(
            {
                "gradient_steps": record.gradient_steps,
                "timesteps": record.timesteps,
                "real_return": result.mean,
                "real_std": result.std,
                "real_length": result.mean_length,
                "normalized_score": "" if score is None else score,
                "predicted_return": self._predicted_return(),
                "seconds": self._seconds_before + time.monotonic() - self._started,
            }
        )
        self._run_folder.write_metrics(self.rows)
        description = f"real return {result.mean:.0f} ± {result.std:.0f}"
        self._progress.update(self._task, description=description, completed=record.gradient_steps)
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            save_checkpoint(self.model, self._run_folder.checkpoint)
            self._saved = time.monotonic()
        return record


def _progress(*, disable: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, disable=disable, refresh_per_second=2)
