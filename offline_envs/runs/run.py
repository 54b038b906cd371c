"""`Run`: what a run is made of, with and without a model, and where its model comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder
from offline_envs.envs import LearnedVectorEnv
from offline_envs.evaluation import ReturnPredictor
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.run_settings import RunSettings

EVALUATION_SEED = 1_000
"""First seed of evaluation episodes, in every run, so that results differ by the policy alone."""

FINAL_SEED = 2_000
"""First seed of the episodes behind the final score, which no evaluation before has seen."""


@dataclass(frozen=True)
class Run:
    """One run before anything is computed.

    Attributes:
        settings: Its settings.
        folder: Where it is written.
        transitions: Its dataset, with the reward of its task if it has one.
        real_env: Environment that the policy is scored in.
        show_progress: Whether to show progress on standard error.
    """

    settings: RunSettings
    folder: RunFolder
    transitions: Transitions
    real_env: gym.Env[Any, Any]
    show_progress: bool


@dataclass(frozen=True)
class ModelRun(Run):
    """A run once its model and its agent are there.

    Attributes:
        agent: The agent; new, or as the checkpoint has it.
        learned: Environment that it trains in, without wrappers; its model is `learned.mdp`.
        predictor: Gives the return that the model predicts for the agent's policy.
    """

    agent: BaseAlgorithm
    learned: LearnedVectorEnv
    predictor: ReturnPredictor


def model_folder(settings: RunSettings, transitions: Transitions) -> Path:
    """The folder that a run takes its model from: the one it is given, or else its place in the cache.

    Args:
        settings: The run.
        transitions: Its dataset.
    """
    if settings.model is not None:
        return Path(settings.model).expanduser()
    return ensemble_folder(
        transitions,
        EnsembleSettings.from_json(settings.ensemble),
        fit_settings=FitSettings.from_json(settings.fit_options()),
    )
