"""`UncertaintyPenalty`: MOPO's penalty on the reward of any environment that a model knows."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.dynamics import DynamicsModel
from offline_envs.mdp import PENALTY, RAW_REWARD
from offline_envs.methods import Penalty
from offline_envs.settings import check_arguments
from offline_envs.wrappers.penalty_meter import PenaltyMeter
from offline_envs.wrappers.rows import one_row


class UncertaintyPenalty(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Subtract λ·u(obs, action) from the reward, where u is an ensemble's uncertainty.

    Yu et al. 2020 (MOPO), section 4.2. On a learned environment the result is `PenalizedModel-v0`; on any
    other environment, given a model of it, the penalty measures how far a policy is from the data.

    A vector version exists: `offline_envs.wrappers.vector.UncertaintyPenalty`.

    Note:
        Never evaluate a policy by the penalised reward; `info["raw_reward"]` keeps the original.

    Args:
        env: The environment, with flat Box observations and actions.
        penalty_coef: λ, in units of reward per unit of uncertainty.
        penalty: Name of the measure, see `offline_envs.dynamics.MEASURES`.
        model: Folder of a fitted ensemble, or the ensemble; a learned environment brings its own.
        penalty_members: Members that are measured, `"all"` or `"elites"`.
        penalty_scale: `"raw"`, or to count λ in the measure's mean over the dataset (`"data"`), or in shares
            of its mean |reward| (`"reward"`), see `Penalty`.
        dataset: The dataset that sets this unit; a learned environment brings its own.
        cache_dir: Folder of fitted models, and of these units, instead of the user's cache.

    Raises:
        SettingsError: An unknown name, a negative coefficient, or no model or data to measure uncertainty.

    Example:
        >>> import gymnasium as gym, offline_envs
        >>> from offline_envs.wrappers import UncertaintyPenalty
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> env = gym.make("LearnedModel-v0", dataset=demo, fit={"max_epochs": 1}, progress=False)
        >>> env = UncertaintyPenalty(env, penalty_coef=2.0)
        >>> obs, info = env.reset(seed=0)
        >>> obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        >>> abs(info["raw_reward"] - info["penalty"] - reward) < 1e-6
        True
    """

    @check_arguments
    def __init__(
        self,
        env: gym.Env[Any, Any],
        penalty_coef: float = Penalty.penalty_coef,
        *,
        penalty: str = Penalty.penalty,
        model: str | Path | DynamicsModel | None = None,
        penalty_members: str = Penalty.penalty_members,
        penalty_scale: str = Penalty.penalty_scale,
        dataset: DatasetSource | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(
            self,
            penalty_coef=penalty_coef,
            penalty=penalty,
            model=model,
            penalty_members=penalty_members,
            penalty_scale=penalty_scale,
            dataset=dataset,
            cache_dir=cache_dir,
        )
        gym.Wrapper.__init__(self, env)
        self._meter = PenaltyMeter.for_env(
            env,
            env.observation_space,
            env.action_space,
            model=model,
            dataset=dataset,
            cache_dir=cache_dir,
            method=Penalty(penalty_coef, penalty, penalty_members, penalty_scale),
        )
        self._obs: Tensor | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and remember its first observation."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._obs = one_row(obs, self.env.observation_space)
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the environment and penalise its reward."""
        before, action_row = self._obs, one_row(action, self.env.action_space)
        obs, reward, terminated, truncated, info = self.env.step(action)
        if before is None:
            raise gym.error.ResetNeeded("Call reset() of the wrapper before step().")
        penalty = float(self._meter(before, action_row))
        self._obs = one_row(obs, self.env.observation_space)
        info = {
            **info,
            RAW_REWARD: info.get(RAW_REWARD, float(reward)),
            PENALTY: info.get(PENALTY, 0.0) + penalty,
        }
        return obs, self._subtract(reward, penalty), terminated, truncated, info

    def _subtract(self, reward: Any, penalty: float) -> float:
        if self._meter.learned:  # in float32, like the batched step, so that both give the same number
            return float(np.float32(reward) - np.float32(penalty))
        return float(reward) - penalty
