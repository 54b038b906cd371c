"""`RealEvalCallback`: score the policy in the real environment while it trains in the model."""

import json
import math
import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.errors import SettingsError
from offline_envs.evaluation import EnvSource, EvaluationResult, evaluate_in
from offline_envs.files import new_file
from offline_envs.sb3.agents import gradient_steps
from offline_envs.settings import check_arguments

BEST_POLICY = "best_policy.zip"
LAST_POLICY = "last_policy.zip"

_RETURN = "mean_return.json"


class EvaluationRecord(NamedTuple):
    """One evaluation during training."""

    gradient_steps: int  # taken by the agent so far
    timesteps: int  # model transitions collected so far
    result: EvaluationResult


class RealEvalCallback(BaseCallback):
    """Evaluate deterministic actions in the real environment every `every` gradient steps, log and save.

    Gradient steps (`offline_envs.sb3.gradient_steps`) are counted, not timesteps, because the number of model
    transitions for each is a setting. SB3 takes a cycle's gradient steps in one go, so an evaluation takes
    place after the first cycle that reaches a multiple of `every`, and at the end of `learn`.

    It logs `real/return`, `real/return_std`, `real/length`, `real/gradient_steps` and, where reference
    returns are known, `real/normalized_score`, and then writes SB3's own figures with them, on SB3's x axis
    (timesteps). So `learn(..., log_interval=None)` only drops the flood of lines that SB3 writes
    when thousands of short episodes end.

    The last evaluation is the honest score: choosing the best one uses the real environment.

    Args:
        env: Real environment, or a function that makes one (then closed at the end of training).
        every: Gradient steps between evaluations; PPO's epochs.
        n_episodes: Episodes of an evaluation, with the same seeds each time.
        seed: Seed of the first episode.
        folder: Folder of `best_policy.zip` and `last_policy.zip`, replaced atomically; None saves nothing.
        best_return: Mean return that a policy must exceed to be saved as the best; for a resumed run.
        verbose: 1 prints a line for each evaluation.

    Attributes:
        history: An `EvaluationRecord` for each evaluation, oldest first.
        best_return: Best mean return so far.

    Raises:
        SettingsError: `every` or `n_episodes` below 1; or, when training starts, an environment in which the
            agent cannot act.
    """

    @check_arguments
    def __init__(
        self,
        env: EnvSource,
        *,
        every: int = 5000,
        n_episodes: int = 10,
        seed: int = 0,
        folder: Path | str | None = None,
        best_return: float = -math.inf,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        if min(every, n_episodes) < 1:
            raise SettingsError(f"every and n_episodes must be at least 1, got {every} and {n_episodes}.")
        self.every = every
        self.n_episodes = n_episodes
        self.seed = seed
        self.folder = None if folder is None else Path(folder)
        self.best_return = best_return
        self.history: list[EvaluationRecord] = []
        self._source = env
        self._env: gym.Env[Any, Any] | None = None
        self._due = every

    def _on_training_start(self) -> None:
        self._env = self._source if isinstance(self._source, gym.Env) else self._source()
        _check_shapes(self.model, self._env)
        self._due = (self._gradient_steps() // self.every + 1) * self.every

    def _on_rollout_start(self) -> None:
        if self._gradient_steps() >= self._due:
            self._evaluate_due()
            self._due = (self._gradient_steps() // self.every + 1) * self.every

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        if not self.history or self.history[-1].gradient_steps != self._gradient_steps():
            self.evaluate()
        if self._env is not None and self._env is not self._source:
            self._env.close()
        self._env = None

    def evaluate(self) -> EvaluationRecord:
        """Evaluate the policy now: record, log and save.

        Returns:
            The record that was added to `history`.
        """
        env = self._source if self._env is None else self._env
        self._save_last()
        result = evaluate_in(env, self.model, n_episodes=self.n_episodes, seed=self.seed)
        record = EvaluationRecord(self._gradient_steps(), self.num_timesteps, result)
        self._keep(record)
        return record

    def _evaluate_due(self) -> None:
        """Evaluate a policy in the middle of training."""
        self.evaluate()

    def _gradient_steps(self) -> int:
        return gradient_steps(self.model)

    def _save_last(self) -> None:
        if self.folder is not None:
            save_policy(self.model, self.folder / LAST_POLICY)

    def _keep(self, record: EvaluationRecord) -> None:
        """Record and log the result of the policy that was saved last, and keep it if it is the best."""
        mean = record.result.mean
        if mean > self.best_return:
            self.best_return = mean
            if self.folder is not None:
                _copy_policy(self.folder / LAST_POLICY, self.folder / BEST_POLICY, mean)
        self.history.append(record)
        self._log(record)

    def _log(self, record: EvaluationRecord) -> None:
        result = record.result
        self.logger.record("real/return", result.mean)
        self.logger.record("real/return_std", result.std)
        self.logger.record("real/length", result.mean_length)
        self.logger.record("real/gradient_steps", record.gradient_steps)
        score = result.normalized_score
        if score is not None:
            self.logger.record("real/normalized_score", score)
        if self.verbose > 0:
            placed = "" if score is None else f", normalised score {score:.1f}"
            spread = f"{result.mean:.1f} ± {result.std:.1f}"
            print(f"{record.gradient_steps} gradient steps: real return {spread}{placed}")
        self.model.dump_logs()


def _check_shapes(model: BaseAlgorithm, env: gym.Env[Any, Any]) -> None:
    """Refuse an environment of other observations or actions, before any training."""
    for kind in ("observation_space", "action_space"):
        theirs, own = getattr(env, kind), getattr(model, kind)
        if theirs.shape != own.shape:
            raise SettingsError(
                f"The real environment must have the {kind.replace('_', ' ')} of the agent, of shape "
                f"{own.shape}; {env} has {theirs}."
            )


def save_policy(model: BaseAlgorithm, path: Path) -> None:
    """Save an agent so that `path` holds either the old file or the complete new one, never a part.

    Args:
        model: Agent; without its replay buffer, as `model.save` does.
        path: File to write; its folder is made if missing.
    """
    with new_file(path) as part, part.open("wb") as file:
        model.save(file)


def _copy_policy(source: Path, path: Path, mean_return: float) -> None:
    """Copy a saved agent with its score, which Stable-Baselines3 ignores; `path` never holds a part."""
    with new_file(path) as part:
        shutil.copyfile(source, part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(_RETURN, json.dumps(mean_return))


def mean_return_of(path: Path) -> float:
    """Return the score that a best policy's file holds; −infinity if there is no complete file with one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return float(json.loads(archive.read(_RETURN)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return -math.inf
