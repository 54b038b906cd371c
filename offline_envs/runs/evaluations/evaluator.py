"""`Evaluator`: what scores a run's policies in the real environment, in the run itself or beside it."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.errors import OfflineEnvsError
from offline_envs.sb3 import EvaluationResult, current_policy, evaluate_in


class Scores(NamedTuple):
    """Results of one policy."""

    policy: EvaluationResult
    current: EvaluationResult | None
    """Of the agent's current weights, where its policy is an average of them."""


class Evaluator(Protocol):
    """Scores one policy at a time."""

    def ask(self, policy: Path) -> None:
        """Begin to score the agent's policy, which is in this file until the answer."""

    def has_answered(self) -> bool:
        """Whether `answer` would not wait."""

    def answer(self) -> Scores:
        """Wait for the scores of the policy that was asked for."""


class Judge(NamedTuple):
    """Scores policies in the same episodes each time."""

    env: gym.Env[Any, Any]
    n_episodes: int
    seed: int

    def scores(self, agent: BaseAlgorithm) -> Scores:
        """Score an agent's policy, and its current weights if the policy is an average."""
        current, episodes = current_policy(agent), {"n_episodes": self.n_episodes, "seed": self.seed}
        return Scores(
            evaluate_in(self.env, agent, **episodes),
            None if current is None else evaluate_in(self.env, current, **episodes),
        )


class InRun:
    """Scores the run's own agent at once, so that training waits.

    Args:
        judge: What scores it.
        agent: The agent.
    """

    def __init__(self, judge: Judge, agent: BaseAlgorithm) -> None:
        self._judge, self._agent = judge, agent
        self._scores: Scores | None = None

    def ask(self, policy: Path) -> None:
        """See `Evaluator`."""
        del policy  # the agent itself is here
        self._scores = self._judge.scores(self._agent)

    def has_answered(self) -> bool:
        """See `Evaluator`."""
        return self._scores is not None

    def answer(self) -> Scores:
        """See `Evaluator`."""
        if self._scores is None:
            raise OfflineEnvsError("Nothing was asked.")
        scores, self._scores = self._scores, None
        return scores
