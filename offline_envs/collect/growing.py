"""`GrowingDataset`: steps of a real environment, taken some at a time, as one dataset in memory."""

from typing import Any

import gymnasium as gym
import numpy as np
from minari.data_collector import EpisodeBuffer

from offline_envs.collect.rollouts import SpaceSamples, roll_out
from offline_envs.data import Transitions, concatenate, load_transitions
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.evaluation import EpisodeRecorder
from offline_envs.policies import Predictor
from offline_envs.settings import check_arguments, check_seed


class GrowingDataset:
    """What loops that collect, fit and collect again know of a real environment.

    Args:
        env: The real environment, made by `gym.make`, whose steps these are.
        seed: Seed of the first episode and of uniform actions; later episodes follow from it.

    Attributes:
        env: The environment; it records.

    Raises:
        SettingsError: The environment does not know its own id.

    Example:
        >>> import gymnasium as gym
        >>> data = GrowingDataset(gym.make("InvertedDoublePendulum-v5"), seed=0)
        >>> data.collect_uniformly(100)
        >>> len(data.transitions), len(data)
        (100, 100)
    """

    @check_arguments
    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0) -> None:
        check_seed(seed)
        if env.spec is None:
            raise SettingsError(f"The environment must be made by gym.make, got {env}, which has no id.")
        self.env, self._spec = EpisodeRecorder(env), env.spec
        self._seed: int | None = seed
        self._uniform = SpaceSamples(env, seed)
        self._parts: list[Transitions] = []

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def transitions(self) -> Transitions:
        """All steps so far.

        Raises:
            DatasetError: There are none.
        """
        if not self._parts:
            raise DatasetError("Nothing was collected yet; call collect or collect_uniformly first.")
        return concatenate(self._parts)

    def collect(self, policy: Predictor, steps: int, *, deterministic: bool = False) -> None:
        """Take steps with a policy; the first of them begins an episode, and the last one may cut one.

        Args:
            policy: What acts, an agent or a planner, which gets its plan back from step to step.
            steps: Number of steps.
            deterministic: Whether to take the policy's deterministic actions, or samples.

        Raises:
            SettingsError: No steps.
        """
        if steps < 1:
            raise SettingsError(f"steps must be at least 1, got {steps}.")
        roll_out(self.env, policy, deterministic=deterministic, steps=steps, seed=self._seed)
        self._seed = None  # from here on, the environment's own generator continues
        self._parts.append(_as_transitions(self.env.finish(), self._spec))

    def collect_uniformly(self, steps: int) -> None:
        """Take steps with uniform actions.

        Raises:
            SettingsError: No steps.
        """
        self.collect(self._uniform, steps)


def _as_transitions(episodes: list[EpisodeBuffer], spec: Any) -> Transitions:
    observations = [np.asarray(episode.observations) for episode in episodes]
    lengths = [len(episode.rewards) for episode in episodes]

    def whole(name: str) -> Any:
        return np.concatenate([getattr(episode, name) for episode in episodes])

    arrays = {
        "obs": np.concatenate([obs[:-1] for obs in observations]),
        "next_obs": np.concatenate([obs[1:] for obs in observations]),
        "actions": whole("actions"),
        "rewards": whole("rewards"),
        "terminated": whole("terminations"),
        "truncated": whole("truncations"),
        "episode_starts": np.cumsum([0, *lengths[:-1]]),
    }
    return load_transitions(arrays, env_id=spec)
