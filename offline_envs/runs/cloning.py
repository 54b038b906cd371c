"""Behaviour cloning in a run: as the start of another algorithm, and as the baseline BC by itself."""

import time
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.progress import track
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.data import Transitions
from offline_envs.runs.agent import new_agent
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.metrics import MetricsRow
from offline_envs.runs.plots import plot_learning_curve
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.result import TrainResult
from offline_envs.runs.seeds import EVALUATION_SEED, FINAL_SEED
from offline_envs.runs.settings import TrainSettings
from offline_envs.sb3 import BehaviorCloner, EvaluationResult, evaluate_in, save_policy
from offline_envs.sb3.callbacks.real_evaluation import BEST_POLICY, LAST_POLICY


def clone_start(
    settings: TrainSettings, agent: BaseAlgorithm, transitions: Transitions, *, show_progress: bool
) -> None:
    """Fit the agent's policy to the dataset for the run's `clone_epochs`.

    Args:
        settings: The run.
        agent: The agent, changed in place.
        transitions: The dataset.
        show_progress: Whether to show progress on standard error.
    """
    cloner = BehaviorCloner(agent, transitions, seed=settings.seed)
    for _ in track(
        range(settings.clone_epochs),
        "Cloning the dataset's behaviour",
        console=Console(stderr=True, quiet=not show_progress),
        disable=not show_progress,
    ):
        cloner.train(cloner.steps_per_epoch)


def train_clone(
    settings: TrainSettings,
    run: RunFolder,
    transitions: Transitions,
    real_env: gym.Env[Any, Any],
    *,
    show_progress: bool,
) -> TrainResult:
    """Run BC: clone for the run's gradient steps, score it on the way and at the end.

    It takes minutes, so an interrupted run begins anew.

    Args:
        settings: The run.
        run: Its folder.
        transitions: The dataset.
        real_env: Environment that the policy is scored in.
        show_progress: Whether to show progress on standard error.
    """
    agent = new_agent(settings, real_env)
    cloner = BehaviorCloner(agent, transitions, seed=settings.seed)
    progress, started = RunProgress(settings.gradient_steps, shown=show_progress), time.monotonic()
    rows: list[MetricsRow] = []
    progress.start()
    try:
        while cloner.gradient_steps < settings.gradient_steps:
            cloner.train(min(settings.eval_every, settings.gradient_steps - cloner.gradient_steps))
            found = evaluate_in(real_env, agent, n_episodes=settings.eval_episodes, seed=EVALUATION_SEED)
            rows.append(_row(cloner.gradient_steps, found, time.monotonic() - started))
            run.write_metrics(rows)
            save_policy(agent, run.policies / LAST_POLICY)
            if found.mean >= max(row.real_return for row in rows):
                save_policy(agent, run.policies / BEST_POLICY)
            progress.evaluated(cloner.gradient_steps, f"real return {found.mean:.0f} ± {found.std:.0f}")
    finally:
        progress.stop()
    plot_learning_curve(rows, transitions, run.plots / "real_return.png")
    final = evaluate_in(real_env, agent, n_episodes=settings.final_episodes, seed=FINAL_SEED)
    result = TrainResult.of(settings, transitions, final, gradient_steps=cloner.gradient_steps)
    run.write_result(result)
    return result


def _row(gradient_steps: int, found: EvaluationResult, seconds: float) -> MetricsRow:
    return MetricsRow(
        gradient_steps=gradient_steps,
        timesteps=0,
        real_return=found.mean,
        real_std=found.std,
        real_length=found.mean_length,
        normalized_score=found.normalized_score,
        predicted_return=None,
        seconds=seconds,
    )
