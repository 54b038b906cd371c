"""Stand-ins for the real environments of the tasks, where they are not registered."""

from typing import Any

import gymnasium as gym

from offline_envs.registration import TASKS
from offline_envs.tasks import find_task
from offline_envs.tasks.finding import task_settings


class StubTaskEnv(gym.Wrapper[Any, Any, Any, Any]):
    """The base environment of a task with the task's reward."""

    def __init__(self, task: str, **kwargs: Any) -> None:
        settings = {name: kwargs.pop(name) for name in task_settings(task) if name in kwargs}
        text = ",".join(f"{name}={value}" for name, value in settings.items())
        self.task = find_task(f"{task}:{text}")
        env = gym.make(self.task.base_env_id, **{**self.task.base_kwargs, **kwargs}).unwrapped
        super().__init__(env)
        self._obs: Any = None

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._obs, info = self.env.reset(**kwargs)
        return self._obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one step, paid by the task."""
        next_obs, _, terminated, truncated, info = self.env.step(action)
        reward = self.task.reward(self._obs, action, next_obs, info)
        self._obs = next_obs
        return next_obs, float(reward), terminated, truncated, info


def register_stubs() -> None:
    """Register a stand-in for each task whose environment is not registered."""
    for name, (env_id, _) in TASKS.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point="tests.stub_envs:StubTaskEnv",
                max_episode_steps=1000,
                kwargs={"task": name},
            )
