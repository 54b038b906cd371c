"""`train`: one run from dataset to scored policy."""

import math
import shutil
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from offline_envs.data import Transitions
from offline_envs.dynamics import save_model
from offline_envs.envs import LearnedVectorEnv
from offline_envs.envs.assembly import check_device, resolve_model
from offline_envs.evaluation.model_error import evaluate_with_error
from offline_envs.evaluation.model_return import ReturnPredictor
from offline_envs.runs.adversary import adversary_callback, finish_update, save_adversary
from offline_envs.runs.agent import check_agent_options, collects_on_device, new_agent, run_agent_class
from offline_envs.runs.algorithms import algorithm
from offline_envs.runs.callback import RunCallback
from offline_envs.runs.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from offline_envs.runs.cloning import clone_start, train_clone
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.model_source import keep_model
from offline_envs.runs.plots import plot_learning_curve, plot_model_error, plot_predicted_return
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.result import TrainResult
from offline_envs.runs.seeds import EVALUATION_SEED, FINAL_SEED
from offline_envs.runs.settings import TrainSettings
from offline_envs.sb3 import AdversarialCallback, SB3VecEnv
from offline_envs.tasks import task_transitions


def train(
    settings: TrainSettings, folder: Path, *, resume: bool = False, show_progress: bool = True
) -> TrainResult:
    """Train a policy inside a learned model, and score it in the real environment.

    Args:
        settings: The run.
        folder: Where it is written; see `RunFolder`.
        resume: Whether to go on with an interrupted run of the same settings; a complete one is only read.
        show_progress: Whether to show progress on standard error.

    Raises:
        SettingsError: Settings that cannot be used, or a folder of another run.
        DatasetError: The dataset cannot be used, or does not name its environment.
        CheckpointError: The model or the checkpoint cannot be read.
        KeyboardInterrupt: Interrupted; the folder can be resumed.
    """
    run = RunFolder(folder)
    run.check(settings, resume=resume)
    if resume and run.result_file.exists():
        return run.result()
    transitions = check_possible(settings)
    with ExitStack() as stack:
        real_env = stack.enter_context(closing(transitions.make_env()))
        run.create(settings)
        if algorithm(settings.algorithm).env_id is None:
            return train_clone(settings, run, transitions, real_env, show_progress=show_progress)
        envs = stack.enter_context(closing(_model_envs(settings, run, show_progress=show_progress)))
        keep_model(settings, transitions, run.model)
        agent = _agent(settings, run, SB3VecEnv(envs), transitions, show_progress=show_progress)
        agent.set_logger(stack.enter_context(closing(_logger(run))))
        learned = envs.unwrapped
        assert isinstance(learned, LearnedVectorEnv)
        adversary = adversary_callback(settings, run, learned, agent)
        predictor = ReturnPredictor(learned, agent, real_env)
        parts = _Parts(settings, run, agent, learned, real_env, adversary, predictor)
        _learn(parts, show_progress=show_progress)
        return _score(parts)


@dataclass(frozen=True)
class _Parts:
    """What a run is made of once its model is there."""

    settings: TrainSettings
    run: RunFolder
    agent: BaseAlgorithm
    learned: LearnedVectorEnv
    real_env: gym.Env[Any, Any]
    adversary: AdversarialCallback | None
    predictor: ReturnPredictor

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(
            self.agent, self.run.checkpoint, more=lambda folder: save_adversary(self.adversary, folder)
        )


def check_possible(settings: TrainSettings) -> Transitions:
    """Load the dataset, and refuse what cannot work with it before anything is computed or written.

    Args:
        settings: The run.

    Raises:
        OfflineEnvsError: See `train`.
    """
    check_device(settings.device)
    check_agent_options(settings)
    transitions = task_transitions(settings.dataset, settings.task, env_id=settings.env_id)
    transitions.make_env().close()
    if settings.model is not None:
        resolve_model(settings.model, transitions.obs_dim, transitions.action_dim, device=settings.device)
    return transitions


def _model_envs(settings: TrainSettings, run: RunFolder, *, show_progress: bool) -> VectorEnv[Any, Any, Any]:
    options = settings.env_options()
    if run.model.exists():
        options |= {"model": str(run.model), "ensemble": None, "fit": None}
    env_id = algorithm(settings.algorithm).env_id
    assert env_id is not None
    output = "torch" if collects_on_device(settings) else "numpy"
    return gym.make_vec(env_id, num_envs=settings.n_envs, output=output, progress=show_progress, **options)


def _agent(
    settings: TrainSettings,
    run: RunFolder,
    vec_env: SB3VecEnv,
    transitions: Transitions,
    *,
    show_progress: bool,
) -> BaseAlgorithm:
    if has_checkpoint(run.checkpoint):
        return load_checkpoint(run_agent_class(settings), run.checkpoint, vec_env, device=settings.device)
    agent = new_agent(settings, vec_env)
    if settings.clone_epochs:
        clone_start(settings, agent, transitions, show_progress=show_progress)
    return agent


def _logger(run: RunFolder) -> Logger:
    return Logger(None, [TensorBoardOutputFormat(str(run.tensorboard))])


def _learn(parts: _Parts, *, show_progress: bool) -> None:
    """Take the gradient steps that are left; leave a checkpoint, also if interrupted."""
    settings, run, agent = parts.settings, parts.run, parts.agent
    rows = run.read_metrics()
    progress = RunProgress(settings.gradient_steps, shown=show_progress)
    callback = RunCallback(
        run,
        rows=[row for row in rows if row.gradient_steps <= agent._n_updates],
        predicted_return=parts.predictor.mean,
        save=parts.save,
        progress=progress,
        env=parts.real_env,
        every=settings.eval_every,
        n_episodes=settings.eval_episodes,
        seed=EVALUATION_SEED,
        evaluate_start=settings.clone_epochs > 0,
        best_return=max((row.real_return for row in rows), default=-math.inf),
    )
    timesteps = _timesteps_left(settings, agent)
    if timesteps == 0:
        finish_update(parts.adversary, agent)
        return
    callbacks: list[BaseCallback] = [callback] if parts.adversary is None else [parts.adversary, callback]
    try:
        # SB3 would write its figures after every so many imagined episodes; the evaluations write them.
        agent.learn(timesteps, callbacks, log_interval=sys.maxsize, reset_num_timesteps=False)
        parts.save()
    except KeyboardInterrupt:
        parts.save()
        raise
    finally:
        progress.stop()


def _timesteps_left(settings: TrainSettings, agent: BaseAlgorithm) -> int:
    """Model transitions of the least number of whole cycles that reach the run's gradient steps."""
    cycle = settings.cycle()
    left = max(0, settings.gradient_steps - agent._n_updates)
    return math.ceil(left / cycle.gradient_steps) * cycle.timesteps


def _score(parts: _Parts) -> TrainResult:
    """Score the last policy, draw the pictures, write the result, and drop what only resuming needed."""
    settings, run, transitions = parts.settings, parts.run, parts.learned.transitions
    result, error = evaluate_with_error(
        parts.real_env,
        parts.agent,
        parts.learned.ensemble,
        penalty=settings.penalty,
        penalty_members=settings.penalty_members,
        n_episodes=settings.final_episodes,
        seed=FINAL_SEED,
    )
    rows = run.read_metrics()
    plot_learning_curve(rows, transitions, run.plots / "real_return.png")
    plot_predicted_return(rows, run.plots / "predicted_return.png")
    plot_model_error(error, run.plots / "model_error.png")
    outcome = TrainResult.of(
        settings,
        transitions,
        result,
        gradient_steps=parts.agent._n_updates,
        predicted_return=parts.predictor.mean(),
        rank_correlation=error.rank_correlation,
        n_exploded=parts.learned.n_exploded,
    )
    if parts.adversary is not None:
        save_model(run.moved_model, parts.learned.ensemble, transitions=transitions)
    run.write_result(outcome)
    shutil.rmtree(run.checkpoint, ignore_errors=True)
    return outcome
