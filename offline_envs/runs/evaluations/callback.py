"""`RunCallback`: evaluates a run, writes its metrics and saves its checkpoints."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from offline_envs.runs.choice.policy_choice import PolicyChoice
from offline_envs.runs.evaluations.evaluator import Evaluator
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.results import MetricsRow
from offline_envs.runs.resuming.stopping import StopRequest
from offline_envs.sb3 import LAST_POLICY, EvaluationRecord, RealEvalCallback

CHECKPOINT_SECONDS = 300.0
"""Minimum time between checkpoints during training [s]; the replay buffer makes them large."""


class Asked(NamedTuple):
    """What is known of a policy before its score in the real environment; see `MetricsRow`."""

    gradient_steps: int
    timesteps: int
    predicted_return: float
    current_predicted_return: float | None
    choice_figure: float | None


class RunCallback(RealEvalCallback):
    """Evaluate in the real environment and in the model, write the metrics, and keep the run resumable.

    Args:
        folder: The run's folder.
        rows: Evaluations of an earlier, interrupted part of the run.
        predicted_return: Gives the return that the model predicts for the agent's policy.
        choice: Keeps the policy of the best figure; None if the run takes its last one.
        predicted_of_current: The same for its current weights, where the policy is an average of them.
        evaluator: Scores policies in the real environment.
        save: Writes a checkpoint.
        stop: Whether the run is to stop at the end of the cycle.
        progress: Shows the progress of the run.
        tell: Given each evaluation; what it raises stops the run.
        evaluate_start: Whether the policy is also evaluated before its first gradient step.
        **options: Settings of `RealEvalCallback`.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        rows: Sequence[MetricsRow],
        predicted_return: Callable[[], float],
        choice: PolicyChoice | None = None,
        predicted_of_current: Callable[[], float] | None = None,
        evaluator: Evaluator,
        save: Callable[[], None],
        stop: StopRequest,
        progress: RunProgress,
        tell: Callable[[MetricsRow], None],
        evaluate_start: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(folder=folder.policies, **options)
        self.rows = list(rows)
        self._run_folder = folder
        self._predicted_return = predicted_return
        self._choice = choice
        self._predicted_of_current = predicted_of_current
        self._evaluator = evaluator
        self._asked: Asked | None = None
        self._progress = progress
        self._tell = tell
        self._save_checkpoint = save
        self._stop = stop
        self._evaluate_start = evaluate_start
        self._seconds_before = rows[-1].seconds if rows else 0.0
        self._started = self._saved = time.monotonic()

    def _on_training_start(self) -> None:
        super()._on_training_start()
        self._progress.start()
        if self.rows:
            if self._gradient_steps() // self.every > self.rows[-1].gradient_steps // self.every:
                self._due = self._gradient_steps()  # stopped when it was about to be evaluated
            return
        self._save_checkpoint()  # cloning, for instance, need not be repeated
        if self._evaluate_start:
            self.evaluate()

    def _on_rollout_start(self) -> None:
        if self._asked is not None and self._evaluator.has_answered():
            self._conclude(self._asked)
        super()._on_rollout_start()
        self._progress.advance_to(self._gradient_steps())
        if self._stop.made:
            self._conclude_last()
            self._save_checkpoint()
            raise KeyboardInterrupt

    def _on_training_end(self) -> None:
        self._conclude_last()
        super()._on_training_end()

    def evaluate(self) -> EvaluationRecord:
        """Evaluate the policy in the real environment and in the model, and write a row of metrics."""
        self._conclude_last()
        return self._conclude(self._ask())

    def _evaluate_due(self) -> None:
        self._conclude_last()
        asked = self._ask()
        if self._evaluator.has_answered():
            self._conclude(asked)

    def _conclude_last(self) -> None:
        """Wait for the evaluation that is under way, if any."""
        if self._asked is not None:
            self._conclude(self._asked)

    def _ask(self) -> Asked:
        """Begin an evaluation by what needs the model and the agent."""
        predicted = self._predicted_return()
        self.logger.record("model/return", predicted)
        figure, of_current = self._consider(), self._predicted_of_current
        current_predicted = None if of_current is None else of_current()
        self._save_last()
        self._asked = Asked(self._gradient_steps(), self.num_timesteps, predicted, current_predicted, figure)
        assert self.folder is not None
        self._evaluator.ask(self.folder / LAST_POLICY)
        return self._asked

    def _conclude(self, asked: Asked) -> EvaluationRecord:
        """Write the row of an evaluation whose score is there, or is waited for."""
        result, current = self._evaluator.answer()
        self._asked = None
        if current is not None:
            self.logger.record("real/current_return", current.mean)
            self.logger.record("model/current_return", asked.current_predicted_return)
        record = EvaluationRecord(asked.gradient_steps, asked.timesteps, result)
        self._keep(record)
        self.rows.append(
            MetricsRow.of(
                result,
                **asked._asdict(),
                current=current,
                seconds=self._seconds_before + time.monotonic() - self._started,
            )
        )
        self._run_folder.write_metrics(self.rows)
        self._progress.evaluated(record.gradient_steps, f"real return {result.mean:.0f} ± {result.std:.0f}")
        self._save_if_due()
        self._tell_last()
        return record

    def _consider(self) -> float | None:
        """Keep the policy if it is the best by the run's choice, whose figure is returned."""
        if self._choice is None:
            return None
        figure = self._choice.consider(self.model)
        self.logger.record("model/choice_figure", figure)
        return figure

    def _tell_last(self) -> None:
        try:
            self._tell(self.rows[-1])
        except Exception:
            self._save_checkpoint()
            raise

    def _save_if_due(self) -> None:
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self._save_checkpoint()
            self._saved = time.monotonic()
