"""`Learning`: what is left of a run once its model and agent exist, to learn and to be scored."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.dynamics import read_model_card
from offline_envs.evaluation import ReturnPredictor, evaluate_with_error
from offline_envs.files import delete, write_json, write_text
from offline_envs.runs.agent import run_agent_class
from offline_envs.runs.algorithms.base import AlgorithmState
from offline_envs.runs.choice.figures import CHOICES, LAST
from offline_envs.runs.choice.policy_choice import CHOSEN_POLICY, PolicyChoice, best_row
from offline_envs.runs.evaluations.callback import RunCallback
from offline_envs.runs.evaluations.evaluator import Evaluator, InRun, Judge
from offline_envs.runs.evaluations.process import EvaluationProcess
from offline_envs.runs.plots import plot_learning_curve, plot_model_error, plot_predicted_return
from offline_envs.runs.progress import STOPPING, RunProgress
from offline_envs.runs.results import MetricsRow, TrainResult, metrics_text
from offline_envs.runs.resuming.checkpoint import save_checkpoint
from offline_envs.runs.resuming.stopping import StopRequest, stop_request
from offline_envs.runs.run import EVALUATION_SEED, FINAL_SEED, ModelRun, Run
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import BEST_POLICY, current_policy, gradient_steps, mean_return_of

METRICS_FILE = "metrics.csv"
"""Evaluations up to a checkpoint, inside it."""

MODEL_FILE = "model.json"
"""Checksum of the model that a checkpoint was trained in."""


class Learning:
    """What is left of a run whose model and agent exist.

    Args:
        run: The run.
        state: The algorithm's own state.
        rows: Evaluations of an earlier part of the run.
        evaluator: What scores policies in the real environment.
        stop: What asks it to stop at the end of a cycle.
        total: Gradient steps of the whole run.

    Attributes:
        agent: The agent.
        timesteps: Model transitions that it has to collect.
        callbacks: Callbacks of its training.
    """

    def __init__(
        self,
        run: ModelRun,
        state: AlgorithmState,
        rows: Sequence[MetricsRow],
        evaluator: Evaluator,
        stop: StopRequest,
        total: int,
    ) -> None:
        self.agent = run.agent
        self.timesteps = _timesteps_left(run.settings, run.agent)
        self._run, self._state, self._stop = run, state, stop
        own = list(state.callbacks())
        self._choice = _choice(run, rows)
        self._progress = RunProgress(total, shown=run.show_progress)
        options: dict[str, Any] = {"choice": self._choice, "stop": stop, "progress": self._progress}
        self._evaluation = _evaluation(run, rows, evaluator=evaluator, save=self._save, **options)
        self.callbacks: list[BaseCallback] = [*own, self._evaluation]

    @property
    def is_complete(self) -> bool:
        """Whether all gradient steps are taken and the policy after the last of them is evaluated.

        A run that evaluates beside its training may stop at the evaluation before, once it has taken the last
        step: its checkpoint then lacks the last evaluation alone.
        """
        rows = self._evaluation.rows
        evaluated = bool(rows) and rows[-1].gradient_steps == gradient_steps(self.agent)
        return self.timesteps == 0 and evaluated

    def alone(self) -> None:
        """Take the gradient steps that are left, evaluate the last policy, and leave a checkpoint.

        Raises:
            KeyboardInterrupt: Asked to stop; there is a checkpoint.
        """
        if self.is_complete:
            return
        with stop_request(lambda: self._progress.note(STOPPING), self._stop):
            try:
                # SB3 would log after a number of imagined episodes; the evaluations log instead.
                self.agent.learn(
                    self.timesteps, self.callbacks, log_interval=sys.maxsize, reset_num_timesteps=False
                )
                self.finish()
            finally:
                self._progress.stop()

    def finish(self) -> None:
        """Leave a checkpoint once all has been learned.

        Raises:
            KeyboardInterrupt: Asked to stop.
        """
        self._save()
        if self._stop.made:
            raise KeyboardInterrupt

    def score(self) -> TrainResult:
        """Score the run's policy, and write the result."""
        return _score(self._run, self._state, self._evaluation.rows)

    def _save(self) -> None:
        run = self._run
        save_checkpoint(run.agent, run.vec_env, run.folder.checkpoint, more=self._save_more)

    def _save_more(self, folder: Path) -> None:
        write_text(folder / METRICS_FILE, metrics_text(self._evaluation.rows))
        write_json(folder / MODEL_FILE, model_of(self._run))
        self._state.save(folder)
        if self._choice is not None:
            self._choice.save(folder)


def model_of(run: Run) -> dict[str, Any]:
    """What tells the model in a run's folder from others."""
    return {"weights_sha256": read_model_card(run.folder.model)["weights_sha256"]}


def _evaluation(run: ModelRun, rows: Sequence[MetricsRow], **options: Any) -> RunCallback:
    settings, current = run.settings, current_policy(run.agent)
    return RunCallback(
        run.folder,
        rows=rows,
        predicted_return=run.predictor.mean,
        predicted_of_current=(
            None if current is None else ReturnPredictor(run.learned, current, run.real_env).mean
        ),
        tell=run.tell,
        env=run.real_env,
        every=settings.eval_every,
        evaluate_start=settings.clone_epochs > 0,
        best_return=mean_return_of(run.folder.policies / BEST_POLICY),
        **options,
    )


def evaluator_of(run: ModelRun) -> AbstractContextManager[Evaluator]:
    """What scores policies in the real environment: a process beside the run, or the run itself."""
    if run.settings.evaluate_beside:
        return EvaluationProcess(run.settings, seed=EVALUATION_SEED, prepare=run.prepare)
    judge = Judge(run.real_env, run.settings.eval_episodes, EVALUATION_SEED)
    return nullcontext(InRun(judge, run.agent))


def _choice(run: ModelRun, rows: Sequence[MetricsRow]) -> PolicyChoice | None:
    """What keeps the chosen policy; None if the run takes its last one."""
    if run.settings.choose == LAST:
        return None
    figure = partial(CHOICES.find(run.settings.choose), run.predictor, run.agent)
    return PolicyChoice(run.folder.chosen_policy, figure, rows, saved=run.folder.checkpoint / CHOSEN_POLICY)


def _chosen(run: ModelRun, rows: Sequence[MetricsRow]) -> tuple[BaseAlgorithm, int | None]:
    """The agent with the run's policy, and the gradient steps of one that is not the last."""
    row = best_row(rows)
    if run.settings.choose == LAST or row is None:
        return run.agent, None
    kind = run_agent_class(run.settings)
    return kind.load(run.folder.chosen_policy, device=run.settings.device), row.gradient_steps


def _timesteps_left(settings: RunSettings, agent: BaseAlgorithm) -> int:
    """Model transitions of the smallest number of cycles that reach the run's gradient steps."""
    cycle = settings.cycle()
    left = max(0, settings.gradient_steps - gradient_steps(agent))
    return cycle.n_cycles(left) * cycle.timesteps


def _score(run: ModelRun, state: AlgorithmState, rows: Sequence[MetricsRow]) -> TrainResult:
    """Score the run's policy, draw the plots, write the result, and remove the checkpoint."""
    settings, folder = run.settings, run.folder
    agent, chosen_step = _chosen(run, rows)
    result, error = evaluate_with_error(
        run.real_env,
        agent,
        run.learned.ensemble,
        penalty=settings.penalty,
        penalty_members=settings.penalty_members,
        n_episodes=settings.final_episodes,
        seed=FINAL_SEED,
    )
    plot_learning_curve(rows, run.transitions, folder.plots / "real_return.png")
    plot_predicted_return(rows, folder.plots / "predicted_return.png")
    plot_model_error(error, folder.plots / "model_error.png")
    outcome = TrainResult.of(
        settings,
        run.transitions,
        result,
        gradient_steps=gradient_steps(run.agent),
        predicted_return=ReturnPredictor(run.learned, agent, run.real_env).mean(),
        chosen_step=chosen_step,
        rank_correlation=error.rank_correlation,
        n_exploded=run.learned.n_exploded,
    )
    state.write_artefacts()
    folder.write_result(outcome)
    delete(folder.checkpoint)
    return outcome
