"""`Run` and `ModelRun`: the parts of a run, before and after its model and agent exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, ensemble_folder
from offline_envs.envs import LearnedVectorEnv
from offline_envs.evaluation import ReturnPredictor
from offline_envs.runs.evaluations.on_evaluation import OnEvaluation, tell
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.results import MetricsRow
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import SB3VecEnv

EVALUATION_SEED = 1_000
"""First seed of evaluation episodes in every run, so that results differ only by the policy."""

FINAL_SEED = 2_000
"""First seed of the episodes of the final score, which no earlier evaluation has used."""


@dataclass(frozen=True)
class Run:
    """One run before anything is computed.

    Attributes:
        settings: Its settings.
        folder: Its folder.
        transitions: Its dataset, with the reward of its task if it has one.
        real_env: Environment that the policy is scored in.
        show_progress: Whether to show progress on standard error.
        callbacks: What is given each evaluation.
        prepare: Called first in a process that evaluates; None if nothing is.
    """

    settings: RunSettings
    folder: RunFolder
    transitions: Transitions
    real_env: gym.Env[Any, Any]
    show_progress: bool
    callbacks: Sequence[OnEvaluation] = field(default=(), kw_only=True)
    prepare: Callable[[], None] | None = field(default=None, kw_only=True)

    def tell(self, row: MetricsRow) -> None:
        """Give an evaluation to the callbacks, once it is written and the run can be resumed from it.

        Raises:
            Exception: What a callback raises; the run stops.
        """
        tell(self.callbacks, row, self.folder.path)


@dataclass(frozen=True)
class ModelRun(Run):
    """A run whose model and agent exist.

    Attributes:
        agent: The agent, new or from the checkpoint.
        vec_env: Environment that it trains in, with Stable-Baselines3's interface.
        learned: The same without wrappers; its model is `learned.mdp`.
        predictor: Gives the return that the model predicts for the agent's policy.
    """

    agent: BaseAlgorithm
    vec_env: SB3VecEnv
    learned: LearnedVectorEnv
    predictor: ReturnPredictor


def model_folder(settings: RunSettings, transitions: Transitions) -> Path:
    """Folder of a run's model: the given one or, if None, its place in the cache.

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
