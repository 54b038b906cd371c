"""`PlannedActions`: an environment in which a planner acts, and an agent corrects it."""

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Dict
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from offline_envs.errors import SettingsError
from offline_envs.planning import Planner, plan_in
from offline_envs.policies import Acting
from offline_envs.settings import check_arguments

PLANNED = "planned_action"
"""Info: the planner's action of the step, before the correction."""


class PlannedActions(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Let a planner act, and add an agent's action to its own.

    The sum is cut at the bounds. With actions of zeros the planner is alone. An agent that is trained here
    learns to correct the planner (residual policy learning, Silver et al. 2018), so it begins where planning
    ends instead of from nothing. The environment may be the real one: a planner's model sees the observations
    of any environment with its dataset's spaces.

    `reset(seed=...)` restarts the planner's random numbers too, as if it had been made with that seed.

    Args:
        env: Environment with a bounded Box of actions.
        planner: The planner, or the text of one (`"cem:horizon=15"`), which plans in the environment's own
            learned model.
        residual: Largest correction, in shares of half the range of each action; 2 reaches every action.
        seed: Seed of a planner that is made from a text.

    Raises:
        SettingsError: Actions that are not bounded, a residual that is not positive, a text without a learned
            model, or observations by name that the planner does not know.
    """

    @check_arguments
    def __init__(
        self, env: gym.Env[Any, Any], planner: str | Planner, *, residual: float = 1.0, seed: int = 0
    ) -> None:
        # A planner is recorded as it is: what it plans with, a model or an agent's critics, may be large.
        RecordConstructorArgs.__init__(
            self, planner=planner, residual=residual, seed=seed, _disable_deepcopy=True
        )
        gym.Wrapper.__init__(self, env)
        space = env.action_space
        if not isinstance(space, Box) or not space.is_bounded():
            raise SettingsError(f"Planned actions need a Box of bounded actions, got {space}.")
        if residual <= 0:
            raise SettingsError(f"residual must be above 0, got {residual:g}.")
        self.planner = plan_in(env, planner, seed=seed) if isinstance(planner, str) else planner
        if isinstance(env.observation_space, Dict) and self.planner.obs_space is None:
            raise SettingsError(
                f"The planner takes observations of one array, got {env.observation_space}. Make it by "
                "plan_in in a learned environment of such observations, or flatten them: "
                "offline_envs.data.with_flat_obs(env)."
            )
        reach = (residual * (space.high - space.low) / 2).astype(np.float32)
        self.action_space = Box(-reach, reach, dtype=np.float32)
        self._acting = Acting(self.planner)
        self._low, self._high = space.low, space.high
        self._obs: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; the planner begins afresh, with a seed also its random numbers."""
        self._obs, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self.planner.generator.manual_seed(seed)
        self._acting.begin()
        return self._obs, info

    def step(self, action: NDArray[Any]) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take the planner's action, corrected by `action`; `info` has the planner's own."""
        if self._obs is None:
            raise ResetNeeded("Call reset() of the wrapper before step().")
        planned = self._acting(self._obs)
        taken = np.clip(planned + np.asarray(action, np.float32), self._low, self._high)
        self._obs, reward, terminated, truncated, info = self.env.step(taken.astype(np.float32))
        return self._obs, reward, terminated, truncated, {**info, PLANNED: planned}
