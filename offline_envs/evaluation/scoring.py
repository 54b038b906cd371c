"""Reproducible scores of policies in real environments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from offline_envs.errors import SettingsError
from offline_envs.policies import Acting, Predictor
from offline_envs.settings import check_arguments
from offline_envs.tasks import ReferenceScore, normalized_score, reference_score

EnvSource = gym.Env[Any, Any] | Callable[[], gym.Env[Any, Any]]
"""A real environment, or a function that makes one."""


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Returns and lengths of `n` full episodes in a real environment.

    Attributes:
        returns: Undiscounted return of each episode, float64 `(n,)`.
        lengths: Steps of each episode, int64 `(n,)`.
        env_id: Id of the environment, or None if it has no specification.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    env_id: str | None = None

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the returns, of the episodes as a population."""
        return float(self.returns.std())

    @property
    def mean_length(self) -> float:
        """Mean number of steps of an episode."""
        return float(self.lengths.mean())

    @property
    def reference(self) -> ReferenceScore | None:
        """Returns that score 0 and 100, with their source; None where the environment has none."""
        return None if self.env_id is None else reference_score(self.env_id)

    @property
    def normalized_score(self) -> float | None:
        """D4RL's score of the mean return, 0 for a random policy and 100 for an expert; None if undefined."""
        if self.env_id is None or self.reference is None:
            return None
        score: float = normalized_score(self.env_id, self.mean)
        return score

    @property
    def normalized_std(self) -> float | None:
        """Standard deviation on the scale of `normalized_score`."""
        if self.reference is None:
            return None
        spread: float = self.reference.expert - self.reference.random
        return 100.0 * self.std / spread

    @property
    def source(self) -> str | None:
        """Source of the reference returns, to print beside a score."""
        return None if self.reference is None else self.reference.source


@check_arguments
def evaluate_in(
    env: EnvSource, policy: Predictor | Callable[[Any], Any], *, n_episodes: int = 10, seed: int = 0
) -> EvaluationResult:
    """Run a policy's deterministic actions for full episodes of a real environment.

    Episode `i` is reset with `seed + i`, so that the result does not depend on the training's random
    numbers or on earlier evaluations. Float observations reach the policy as float32, as in SB3's training.

    Args:
        env: The environment, left open, or a function that makes one, closed at the end. Episodes must
            end by themselves, as with `gym.make`'s time limit.
        policy: An object with SB3's `predict`, or a function from an observation to an action.
        n_episodes: Number of episodes.
        seed: Seed of the first.

    Raises:
        SettingsError: `n_episodes` below 1.
    """
    if n_episodes < 1:
        raise SettingsError(f"n_episodes must be at least 1, got {n_episodes}.")
    if not isinstance(env, gym.Env):
        made = env()
        try:
            return evaluate_in(made, policy, n_episodes=n_episodes, seed=seed)
        finally:
            made.close()
    episodes = [_run_episode(env, _action_function(policy), seed + index) for index in range(n_episodes)]
    returns, lengths = zip(*episodes, strict=True)
    env_id = None if env.spec is None else env.spec.id
    return EvaluationResult(np.array(returns, dtype=np.float64), np.array(lengths, dtype=np.int64), env_id)


def _action_function(policy: Any) -> Callable[[Any], Any]:
    """What acts in one episode, from the beginning."""
    if hasattr(policy, "predict"):
        return Acting(policy)
    act: Callable[[Any], Any] = policy
    return act


def _run_episode(env: gym.Env[Any, Any], act: Callable[[Any], Any], seed: int) -> tuple[float, int]:
    obs, _ = env.reset(seed=seed)
    total, length, ended = 0.0, 0, False
    while not ended:
        obs, reward, terminated, truncated, _ = env.step(act(_as_trained(obs)))
        total += float(reward)
        length += 1
        ended = bool(terminated or truncated)
    return total, length


def _as_trained(obs: Any) -> Any:
    if isinstance(obs, np.ndarray) and obs.dtype.kind == "f":
        return obs.astype(np.float32, copy=False)
    return obs
