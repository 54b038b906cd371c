"""`TaskEnv`: the real environment with a task's reward."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from offline_envs.errors import SettingsError
from offline_envs.registration import TASKS
from offline_envs.tasks.base_class import base_class
from offline_envs.tasks.base_env import without_reward_terms
from offline_envs.tasks.task import Task


def real_env(task: Task, **physics: Any) -> "TaskEnv":
    """Make the real environment of a task, without a time limit: an instance of its base environment's class.

    Args:
        task: The task, of a base environment that is one of Gymnasium's for MuJoCo.
        **physics: Keywords of the base environment, except those that weigh its reward.

    Raises:
        SettingsError: The keywords give observations of other dimensions than the task reads; or see
            `base_class`.
    """
    return _class_on(task.base_env_id)(task, **physics)


class TaskEnv(MujocoEnv):
    """The reward of a task's environment; `real_env` joins it with the base environment's class.

    Physics, observations, resets, terminations and rendering are the base's own. The reward is the sum of the
    task's terms, computed in float64; `info` holds them in place of the base's `reward_*`, beside its
    positions and velocities. No state is kept between steps, so that the reward of a step after `set_state`
    is right.

    Attributes:
        task: The task, with its settings.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]}  # noqa: RUF012
    _spec: EnvSpec | None = None
    _get_obs: Callable[[], NDArray[np.float64]]

    def __init__(self, task: Task, **physics: Any) -> None:
        super().__init__(**{**task.base_kwargs, **physics})
        if self.observation_space.shape != (task.obs_dim,):
            raise SettingsError(
                f"{task.name} reads the {task.obs_dim} observation dimensions of {task.base_env_id} with "
                f"{dict(task.base_kwargs)}, got {self.observation_space.shape} with {physics}. "
                "Leave out what changes the observation."
            )
        self.task = task
        self._physics: Mapping[str, Any] = physics

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], np.float64, bool, bool, dict[str, Any]]:
        """Step the base environment, and give the task's reward.

        Args:
            action: `(k,)`.

        Returns:
            Observation `(d,)` float64, reward, terminated, truncated (never true), and info.
        """
        obs = self._get_obs()
        next_obs, _, terminated, truncated, info = super().step(action)
        terms = self.task.reward_terms(obs, np.asarray(action, dtype=np.float64), next_obs, info)
        rewards = {name: np.float64(term) for name, term in terms.items()}
        infos = without_reward_terms(info) | rewards
        return next_obs, np.float64(sum(rewards.values())), terminated, truncated, infos

    @property
    def spec(self) -> EnvSpec | None:
        """The specification that `gym.make` made it from, or None.

        Raises:
            SettingsError: `gym.make` was given the id of one task and `task=` of another.
        """
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if (
            spec is not None
            and spec.id in [env_id for env_id, _ in TASKS.values()]
            and spec.id != self.task.env_id
        ):
            raise SettingsError(
                f"{spec.id} has the reward of its own task, got task={self.task.name!r}. "
                f"Leave task= out, or make {self.task.env_id}."
            )
        self._spec = spec

    def __reduce__(self) -> tuple[Callable[[], "TaskEnv"], tuple[()]]:
        """Copy and pickle as the base does: a new environment with equal settings, to be reset."""
        return partial(real_env, self.task, **self._physics), ()


@cache
def _class_on(base_env_id: str) -> type[TaskEnv]:
    """Make the class that steps as the base environment does, with the reward of `TaskEnv`."""
    base = base_class(base_env_id)
    own = {"__doc__": TaskEnv.__doc__, "__module__": __name__, "metadata": base.metadata}
    combined: type[TaskEnv] = type(f"Task{base.__name__}", (TaskEnv, base), own)
    return combined
