"""`train`: one run from dataset to scored policy."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.data import Transitions, load_transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder
from offline_envs.envs import LearnedVectorEnv
from offline_envs.envs.starts import StartStates
from offline_envs.errors import SettingsError
from offline_envs.runs.callback import RunCallback
from offline_envs.runs.checkpoint import load_checkpoint, save_checkpoint
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.model_error import ModelError, evaluate_with_error
from offline_envs.runs.model_return import model_return
from offline_envs.runs.plots import plot_learning_curve, plot_model_error, plot_predicted_return
from offline_envs.runs.result import TrainResult
from offline_envs.runs.settings import ALGORITHMS, TrainSettings
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, agent_class, mopo_schedule

EVALUATION_SEED = 1_000
"""First seed of evaluation episodes, apart from those that training uses."""


def train(
    settings: TrainSettings, folder: Path, *, resume: bool = False, show_progress: bool = True
) -> TrainResult:
    """Train a policy inside a learned model, and score it in the real environment.

    Args:
        settings: The run.
        folder: Where it is written; see `RunFolder`.
        resume: Whether to go on with an interrupted run of the same settings.
        show_progress: Whether to draw progress bars.

    Raises:
        SettingsError: Settings that cannot be used, or a folder of another run.
        DatasetError: The dataset cannot be used, or does not name its environment.
        KeyboardInterrupt: Interrupted; the folder can be resumed.
    """
    run = RunFolder(folder)
    agent_type = agent_class(settings.agent)
    transitions = load_transitions(settings.dataset, env_id=settings.env_id)
    real_env = transitions.make_env()
    run.open(settings, resume=resume)
    options = settings.env_options()
    envs = gym.make_vec(
        ALGORITHMS[settings.algorithm], num_envs=settings.n_envs, progress=show_progress, **options
    )
    _keep_model(settings, transitions, run.model)
    vec_env = SB3VecEnv(envs)
    if run.checkpoint.exists():
        agent = load_checkpoint(settings.agent, run.checkpoint, vec_env, device=settings.device)
    else:
        agent = _new_agent(settings, agent_type, vec_env)
    agent.set_logger(Logger(None, [TensorBoardOutputFormat(str(run.tensorboard))]))
    learned: LearnedVectorEnv = envs.unwrapped
    predicted = _ReturnPredictor(learned, agent, real_env)
    rows: list[dict[str, Any]] = [
        row for row in run.read_metrics() if row["gradient_steps"] <= agent._n_updates
    ]
    callback = RunCallback(
        run,
        rows=rows,
        predicted_return=predicted.mean,
        total_gradient_steps=settings.gradient_steps,
        show_progress=show_progress,
        env=real_env,
        every=settings.eval_every,
        n_episodes=settings.eval_episodes,
        seed=EVALUATION_SEED,
    )
    _learn(agent, settings, callback, run)
    outcome = _finish(settings, run, learned, agent, real_env, predicted)
    vec_env.close()
    real_env.close()
    return outcome


def _new_agent(
    settings: TrainSettings, agent_type: type[OffPolicyAlgorithm], vec_env: SB3VecEnv
) -> OffPolicyAlgorithm:
    schedule = mopo_schedule(
        settings.n_envs, settings.horizon, transitions_per_gradient_step=settings.transitions_ratio
    )
    buffer = {"dataset": settings.dataset, "real_ratio": settings.real_ratio, "env_id": settings.env_id}
    keywords: Mapping[str, Any] = {**schedule, **settings.agent_options}
    try:
        return agent_type(
            "MlpPolicy",
            vec_env,
            replay_buffer_class=MixedReplayBuffer,
            replay_buffer_kwargs=buffer,
            seed=settings.seed,
            device=settings.device,
            **keywords,
        )
    except TypeError as error:
        raise SettingsError(f"agent_options do not fit {agent_type.__name__}: {error}") from error


def _keep_model(settings: TrainSettings, transitions: Transitions, target: Path) -> None:
    """Copy the fitted ensemble into the run's folder, so that the folder explains itself."""
    if target.exists():
        return
    source = Path(settings.model) if settings.model else _cached_model(settings, transitions)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    part.rename(target)


def _cached_model(settings: TrainSettings, transitions: Transitions) -> Path:
    ensemble, fit = EnsembleSettings.from_json(settings.ensemble), FitSettings.from_json(settings.fit)
    return ensemble_folder(transitions, ensemble, fit_settings=fit)


class _ReturnPredictor:
    """The return that the model predicts for an agent's policy, from the data's first states."""

    def __init__(
        self, learned: LearnedVectorEnv, agent: OffPolicyAlgorithm, real_env: gym.Env[Any, Any]
    ) -> None:
        self._mdp, self._agent = learned.mdp, agent
        self._starts = StartStates.from_transitions(learned.transitions, "initial", device=learned.device)
        limit = None if real_env.spec is None else real_env.spec.max_episode_steps
        self._max_steps = limit or int(learned.transitions.episode_lengths.max())

    def mean(self, n_episodes: int = 20) -> float:
        """Mean over `n_episodes` imagined episodes."""
        returns = model_return(
            self._mdp,
            self._starts,
            self._agent,
            n_episodes=n_episodes,
            max_steps=self._max_steps,
            seed=EVALUATION_SEED,
        )
        return float(returns.mean())


def _learn(agent: OffPolicyAlgorithm, settings: TrainSettings, callback: RunCallback, run: RunFolder) -> None:
    """Take the gradient steps that are left; leave a checkpoint if interrupted."""
    left = settings.gradient_steps - agent._n_updates
    if left <= 0:
        return
    try:
        agent.learn(
            int(left * settings.transitions_ratio),
            callback=callback,
            log_interval=None,  # type: ignore[arg-type]  SB3 would log every fourth imagined episode
            reset_num_timesteps=False,
        )
        save_checkpoint(agent, run.checkpoint)
    except KeyboardInterrupt:
        save_checkpoint(agent, run.checkpoint)
        raise
    finally:
        callback.stop_progress()


def _finish(
    settings: TrainSettings,
    run: RunFolder,
    learned: LearnedVectorEnv,
    agent: OffPolicyAlgorithm,
    real_env: gym.Env[Any, Any],
    predicted: _ReturnPredictor,
) -> TrainResult:
    result, error = evaluate_with_error(
        real_env,
        agent,
        learned.ensemble,
        penalty=settings.penalty,
        n_episodes=settings.final_episodes,
        seed=2 * EVALUATION_SEED,
    )
    _plot(run, learned.transitions, error)
    returns = learned.transitions.episode_returns
    outcome = TrainResult(
        seed=settings.seed,
        dataset_mean=float(returns.mean()),
        dataset_best=float(returns.max()),
        predicted_return=predicted.mean(),
        real_return=result.mean,
        real_std=result.std,
        n_episodes=settings.final_episodes,
        normalized_score=result.normalized_score,
        score_source=result.source,
        rank_correlation=error.rank_correlation,
        n_exploded=learned.n_exploded,
        gradient_steps=agent._n_updates,
    )
    run.write_json(run.result_file, asdict(outcome))
    return outcome


def _plot(run: RunFolder, transitions: Transitions, error: ModelError) -> None:
    rows = run.read_metrics()
    plot_learning_curve(rows, transitions, run.plots / "real_return.png")
    plot_predicted_return(rows, run.plots / "predicted_return.png")
    plot_model_error(error, run.plots / "model_error.png")
