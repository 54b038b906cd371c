"""`ModelBased`: an agent trained inside a learned environment and scored in the real one."""

import math
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.data import Transitions, check_continuous
from offline_envs.dynamics import read_model_card
from offline_envs.envs import LearnedVectorEnv
from offline_envs.errors import CheckpointError
from offline_envs.evaluation import ReturnPredictor, evaluate_with_error
from offline_envs.files import copy_folder, delete, read_json, write_json, write_text
from offline_envs.mdp import check_termination
from offline_envs.runs.agent import collects_on_device, new_agent, run_agent_class
from offline_envs.runs.algorithms.base import EVERY_RUN, Algorithm, AlgorithmState
from offline_envs.runs.algorithms.cloning import clone_policy
from offline_envs.runs.choice.figures import CHOICES, LAST
from offline_envs.runs.choice.policy_choice import CHOSEN_POLICY, PolicyChoice, best_row
from offline_envs.runs.evaluations.callback import RunCallback
from offline_envs.runs.evaluations.evaluator import Evaluator, InRun, Judge
from offline_envs.runs.evaluations.process import EvaluationProcess
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.plots import plot_learning_curve, plot_model_error, plot_predicted_return
from offline_envs.runs.progress import STOPPING, RunProgress
from offline_envs.runs.results import MetricsRow, TrainResult, metrics_text, read_metrics
from offline_envs.runs.resuming.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from offline_envs.runs.resuming.stopping import stop_request
from offline_envs.runs.run import EVALUATION_SEED, FINAL_SEED, ModelRun, Run, model_folder
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import (
    BEST_POLICY,
    MixedReplayBuffer,
    SB3VecEnv,
    current_policy,
    gradient_steps,
    mean_return_of,
)

IN_MODEL = (
    *EVERY_RUN,
    *("model", "ensemble", "fit", "termination", "start", "horizon", "env_settings"),
    *("n_envs", "transitions_per_gradient_step", "rollout_actions", "real_ratio"),
    *("clone_epochs", "clone_loss", "clone_from", "clone_rounds", "clone_rows", "clone_horizon"),
    *("standardize_obs", "choose", "evaluate_beside"),
    *("penalty", "penalty_members"),  # the uncertainty with which the model's error is compared at the end
)
"""Settings that every algorithm with a model uses."""

METRICS_FILE = "metrics.csv"
"""Evaluations up to a checkpoint, inside it."""

MODEL_FILE = "model.json"
"""Checksum of the model that a checkpoint was trained in."""


@dataclass(frozen=True)
class ModelBased(Algorithm):
    """An agent inside a learned environment. A subclass overrides the hooks in which it differs.

    Attributes:
        env_id: Learned environment that it trains in.
        env_settings: Settings of a run, or properties of `RunSettings`, that its environment takes by the
            same names.
    """

    env_id: str
    uses: tuple[str, ...] = field(default=IN_MODEL, kw_only=True)
    env_settings: tuple[str, ...] = field(default=(), kw_only=True)

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """See `Algorithm`."""
        check_termination(settings.termination, transitions)
        if settings.clone_from is not None:
            check_continuous(transitions.discrete_actions, f"clone_from={settings.clone_from!r}: a planner")

    def env_options(self, settings: RunSettings) -> dict[str, Any]:
        """See `Algorithm`."""
        return {name: getattr(settings, name) for name in self.env_settings}

    def make_vec_options(self, settings: RunSettings) -> dict[str, Any]:
        """All keywords that a run gives to `gym.make_vec` for its environment."""
        return {**settings.model_options(), **self.env_options(settings), **settings.env_settings}

    def start(self, run: ModelRun) -> None:
        """Prepare a new agent before its training; not called for one from a checkpoint.

        By default its policy is fitted to the dataset for the run's `clone_epochs`.
        """
        if run.settings.clone_epochs:
            clone_policy(run)

    def state(self, run: ModelRun) -> AlgorithmState:
        """Make the algorithm's state of a run: callbacks, files of checkpoints, artefacts."""
        return AlgorithmState()

    def train(self, run: Run) -> TrainResult:
        """Train a new agent, or resume from the run's checkpoint, and score it.

        Raises:
            CheckpointError: The model or the checkpoint cannot be read.
            KeyboardInterrupt: Stopped; the folder has a checkpoint, of the end of a cycle.
        """
        with ExitStack() as stack:
            envs = stack.enter_context(closing(self._make_envs(run)))
            _keep_model(run)
            resumed = has_checkpoint(run.folder.checkpoint)
            vec_env = SB3VecEnv(envs)
            agent = _agent(run, vec_env, resumed=resumed)
            learned = envs.unwrapped
            assert isinstance(learned, LearnedVectorEnv)
            predictor = ReturnPredictor(learned, agent, run.real_env)
            in_model = ModelRun(
                **vars(run), agent=agent, vec_env=vec_env, learned=learned, predictor=predictor
            )
            if not resumed:
                self.start(in_model)
            agent.set_logger(stack.enter_context(closing(_logger(run.folder))))
            state = self.state(in_model)
            rows: list[MetricsRow] = []
            if resumed:
                _check_model(run)
                state.load(run.folder.checkpoint)
                rows = read_metrics(run.folder.checkpoint / METRICS_FILE)
                run.folder.write_metrics(rows)
            rows = _learn(in_model, state, rows)
            return _score(in_model, state, rows)

    def _make_envs(self, run: Run) -> VectorEnv[Any, Any, Any]:
        """Make environments of the run's dataset, which already has the reward of its task."""
        settings, folder = run.settings, run.folder
        options = self.make_vec_options(settings)
        options |= {"dataset": run.transitions, "columns": None, "env_id": None}
        options |= {"task": None, "history": 1}
        if folder.model.exists():
            options |= {"model": str(folder.model), "ensemble": None, "fit": None}
        output = "torch" if collects_on_device(settings) else "numpy"
        options |= {"autoreset_mode": AutoresetMode.SAME_STEP, "output": output}
        return gym.make_vec(self.env_id, num_envs=settings.n_envs, progress=run.show_progress, **options)


def _keep_model(run: Run) -> None:
    """Copy the model into the run's folder, so that the folder is self-contained."""
    if not run.folder.model.exists():
        copy_folder(model_folder(run.settings, run.transitions), run.folder.model)


def _model_of(run: Run) -> dict[str, Any]:
    return {"weights_sha256": read_model_card(run.folder.model)["weights_sha256"]}


def _check_model(run: Run) -> None:
    """Refuse to resume in another model than the one in which the checkpoint was trained.

    Raises:
        CheckpointError: The run's folder holds another model.
    """
    if read_json(run.folder.checkpoint / MODEL_FILE) != _model_of(run):
        raise CheckpointError(
            f"{run.folder.model} is not the model that {run.folder.checkpoint} was trained in. Put that one "
            "back, or start again in another folder."
        )


def _agent(run: Run, vec_env: SB3VecEnv, *, resumed: bool) -> BaseAlgorithm:
    settings = run.settings
    if resumed:
        kind, device = run_agent_class(settings), settings.device
        agent = load_checkpoint(kind, run.folder.checkpoint, vec_env, device=device)
    else:
        agent = new_agent(settings, vec_env, run.transitions)
    if isinstance(agent, OffPolicyAlgorithm) and isinstance(agent.replay_buffer, MixedReplayBuffer):
        agent.replay_buffer.use(run.transitions)
    return agent


def _logger(folder: RunFolder) -> Logger:
    return Logger(None, [TensorBoardOutputFormat(str(folder.tensorboard))])


def _learn(run: ModelRun, state: AlgorithmState, rows: Sequence[MetricsRow]) -> list[MetricsRow]:
    """Take the gradient steps that are left, and leave a checkpoint, also if asked to stop.

    Args:
        run: The run.
        state: The algorithm's own state.
        rows: Evaluations of an earlier part of the run.

    Returns:
        All evaluations.
    """
    timesteps, own = _timesteps_left(run.settings, run.agent), list(state.callbacks())
    choice = _choice(run, rows)
    if timesteps == 0:
        return list(rows)
    progress = RunProgress(run.settings.gradient_steps, shown=run.show_progress)

    def more(folder: Path) -> None:
        write_text(folder / METRICS_FILE, metrics_text(evaluation.rows))
        write_json(folder / MODEL_FILE, _model_of(run))
        state.save(folder)
        if choice is not None:
            choice.save(folder)

    def save() -> None:
        save_checkpoint(run.agent, run.vec_env, run.folder.checkpoint, more=more)

    with _evaluator(run) as evaluator, stop_request(lambda: progress.note(STOPPING)) as stop:
        options = {"evaluator": evaluator, "choice": choice, "save": save, "stop": stop, "progress": progress}
        evaluation = _evaluation(run, rows, **options)
        callbacks: list[BaseCallback] = [*own, evaluation]
        try:
            # SB3 would log after a number of imagined episodes; the evaluations log instead.
            run.agent.learn(timesteps, callbacks, log_interval=sys.maxsize, reset_num_timesteps=False)
            save()
            if stop.made:
                raise KeyboardInterrupt
        finally:
            progress.stop()
    return evaluation.rows


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


def _evaluator(run: ModelRun) -> AbstractContextManager[Evaluator]:
    """What scores policies in the real environment: a process beside the run, or the run itself."""
    if run.settings.evaluate_beside:
        return EvaluationProcess(run.settings, seed=EVALUATION_SEED)
    judge = Judge(run.real_env, run.settings.eval_episodes, EVALUATION_SEED)
    return nullcontext(InRun(judge, lambda: run.agent))


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
    return math.ceil(left / cycle.gradient_steps) * cycle.timesteps


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
