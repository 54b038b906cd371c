"""`MatchSpaces`: an environment with the spaces of another, so that an agent can move between the two."""

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from offline_envs.wrappers.spaces import cast, check_match, spaces_of


class MatchSpaces(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Give an environment the observation and action space of another one.

    Stable-Baselines3 takes an agent to another environment only if the spaces are equal, types and bounds
    included. A learned environment has float32 observations, a real one often float64 or other
    bounds. With this wrapper around either, an agent that was trained in one continues in the other. Values
    stay as they are; only their types change.

    A vector version exists: `offline_envs.wrappers.vector.MatchSpaces`.

    Args:
        env: The environment.
        to: What has the wanted spaces: an environment, single or vector, or an agent.

    Raises:
        SettingsError: Spaces that are not boxes of the same shapes, or actions with other bounds.

    Example:
        >>> import gymnasium as gym, offline_envs
        >>> from offline_envs.wrappers import MatchSpaces
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> envs = gym.make_vec("LearnedModel-v0", 2, dataset=demo, fit={"max_epochs": 1}, progress=False)
        >>> real = MatchSpaces(gym.make("InvertedDoublePendulum-v5"), to=envs)
        >>> real.observation_space == envs.single_observation_space
        True
    """

    def __init__(self, env: gym.Env[Any, Any], to: Any) -> None:
        spaces = spaces_of(to)
        RecordConstructorArgs.__init__(self, to=spaces)
        gym.Wrapper.__init__(self, env)
        inner = spaces_of(env)
        check_match(inner, spaces)
        self._inner_action_type = inner.action_space.dtype
        self._obs_type = spaces.observation_space.dtype
        self.observation_space, self.action_space = spaces

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        obs, info = self.env.reset(seed=seed, options=options)
        return cast(obs, self._obs_type), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment."""
        obs, *outcome = self.env.step(cast(action, self._inner_action_type))
        return cast(obs, self._obs_type), *outcome
