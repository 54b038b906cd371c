"""`RunCallback`: evaluates a run, writes its metrics and saves its checkpoints."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from offline_envs.policies import Predictor
from offline_envs.runs.choice.policy_choice import PolicyChoice
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.results import MetricsRow
from offline_envs.runs.resuming.stopping import StopRequest
from offline_envs.sb3 import EvaluationRecord, EvaluationResult, RealEvalCallback, evaluate_in

CHECKPOINT_SECONDS = 300.0
"""Minimum time between checkpoints during training [s]; the replay buffer makes them large."""


class CurrentWeights(NamedTuple):
    """The policy of an agent's current weights, where the agent's own is an average of them."""

    policy: Predictor
    predicted_return: Callable[[], float]


class RunCallback(RealEvalCallback):
    """Evaluate in the real environment and in the model, write the metrics, and keep the run resumable.

    Args:
        folder: The run's folder.
        rows: Evaluations of an earlier, interrupted part of the run.
        predicted_return: Gives the return that the model predicts for the agent's policy.
        choice: Keeps the policy of the best figure; None if the run takes its last one.
        current: The policy of the current weights, evaluated beside an agent's that is an average.
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
        current: CurrentWeights | None = None,
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
        self._current = current
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
            return
        self._save_checkpoint()  # cloning, for instance, need not be repeated
        if self._evaluate_start:
            self.evaluate()

    def _on_rollout_start(self) -> None:
        super()._on_rollout_start()
        self._progress.advance_to(self._gradient_steps())
        if self._stop.made:
            self._save_checkpoint()
            raise KeyboardInterrupt

    def evaluate(self) -> EvaluationRecord:
        """Evaluate the policy in the real environment and in the model, and write a row of metrics."""
        predicted = self._predicted_return()
        self.logger.record("model/return", predicted)
        figure = self._consider()
        current, current_predicted = self._evaluate_current()
        record = super().evaluate()
        result = record.result
        self.rows.append(
            MetricsRow.of(
                result,
                gradient_steps=record.gradient_steps,
                timesteps=record.timesteps,
                predicted_return=predicted,
                current=current,
                current_predicted_return=current_predicted,
                choice_figure=figure,
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

    def _evaluate_current(self) -> tuple[EvaluationResult | None, float | None]:
        """Evaluate the current weights, in the same episodes and imagined episodes as the policy."""
        if self._current is None:
            return None, None
        assert self._env is not None
        predicted = self._current.predicted_return()
        result = evaluate_in(self._env, self._current.policy, n_episodes=self.n_episodes, seed=self.seed)
        self.logger.record("real/current_return", result.mean)
        self.logger.record("model/current_return", predicted)
        return result, predicted

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
