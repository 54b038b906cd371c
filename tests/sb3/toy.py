"""A vector environment and a dataset with known values."""

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from offline_envs.agents import AGENTS, online_agents
from offline_envs.data import Transitions

WITH_CRITICS = tuple(name for name in online_agents() if AGENTS[name].continuous)
"""Agents of continuous actions that learn Q(s, a) from a replay buffer, wherever its rows come from."""

ACTION_SPACE = Box(-2.0, 6.0, (1,), np.float32)
"""Bounds that are neither symmetric nor 1: an action of 0 is -0.5 after rescaling."""


class CountingVectorEnv(VectorEnv[Any, Any, Any]):
    """Row `i` observes `(i, t)`, t steps into its episode, and has the reward `100 * i + t + action`.

    It terminates at step `terminate_at[i]` and is truncated at step `horizon`; both may happen at once.
    """

    def __init__(self, terminate_at: list[int], horizon: int = 5, output: str = "numpy") -> None:
        self.num_envs = len(terminate_at)
        self.single_observation_space = Box(-np.inf, np.inf, (2,), np.float32)
        self.single_action_space = ACTION_SPACE
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.render_mode = None
        self.terminate_at = np.array(terminate_at)
        self.horizon = horizon
        self.output = output
        self.resets: list[tuple[Any, Any]] = []

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.resets.append((seed, options))
        self.t = np.zeros(self.num_envs)
        return self._out(self._obs()), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        if self.output == "torch":
            assert isinstance(actions, torch.Tensor)
            actions = actions.numpy()
        self.t += 1
        rewards = 100.0 * np.arange(self.num_envs) + self.t + actions[:, 0]
        terminated, truncated = self.t == self.terminate_at, self.t == self.horizon
        final_obs, ended = self._obs(), terminated | truncated
        self.t[ended] = 0
        infos = {"final_obs": self._out(final_obs), "_final_obs": self._out(ended)}
        fields = (self._out(x) for x in (self._obs(), rewards, terminated, truncated))
        return (*fields, infos)

    def twice(self, number: int) -> int:
        return 2 * number

    def _obs(self) -> np.ndarray:
        return np.stack([np.arange(self.num_envs), self.t], axis=1).astype(np.float32)

    def _out(self, values: np.ndarray) -> Any:
        return torch.from_numpy(values.copy()) if self.output == "torch" else values


def toy_transitions(n: int = 8) -> Transitions:
    """Make `n` steps of one episode in a row: obs (-1, t), action 0, reward -t, the last step terminated."""
    t = torch.arange(n, dtype=torch.float32)
    obs = torch.stack([-torch.ones(n), t], dim=1)
    return Transitions(
        obs=obs,
        actions=torch.zeros(n, 1),
        rewards=-t,
        next_obs=obs + torch.tensor([0.0, 1.0]),
        terminated=t == n - 1,
        episode_starts=torch.tensor([0]),
        action_space=ACTION_SPACE,
    )
