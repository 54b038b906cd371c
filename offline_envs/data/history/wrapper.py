"""`HistoryObservation`: an environment whose observations hold the last k of them."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from offline_envs.data.history.layout import HistoryLayout, action_at_rest, check_history
from offline_envs.errors import SettingsError


class HistoryObservation(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Let every observation hold the last `history` ones and the actions between, as `with_history` does.

    A policy that was trained on data or in a model with `history=k` acts in the real environment behind this
    wrapper; `Transitions.make_env` puts it on by itself. At a reset the history repeats the first observation
    and the action nearest to zero. The environment gets every action as it is given; the history holds one
    beyond its bounds as the nearest that lies within, as all recorded ones do.

    A vector version exists: `offline_envs.wrappers.vector.HistoryObservation`.

    Args:
        env: The environment, with Box observations and actions of one axis.
        history: Number of observations, k; 1 changes nothing.

    Attributes:
        layout: Where an observation holds what.

    Raises:
        SettingsError: No integer of at least 1, or other spaces.

    Example:
        >>> import gymnasium as gym
        >>> from offline_envs.wrappers import HistoryObservation
        >>> HistoryObservation(gym.make("Pendulum-v1"), history=3).observation_space.shape
        (11,)
    """

    def __init__(self, env: gym.Env[Any, Any], history: int) -> None:
        check_history(history)
        RecordConstructorArgs.__init__(self, history=history)
        gym.Wrapper.__init__(self, env)
        self.layout, self.observation_space = history_spaces(env.observation_space, env.action_space, history)
        self._obs: NDArray[Any] = np.empty(0, self.observation_space.dtype)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the history repeats what it gives."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._obs = without_past(obs, self.env.action_space, self.layout, self._obs.dtype)
        return self._obs.copy(), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment, and move the history by the action."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._obs = after_step(obs, action, self._obs, self.layout, self.env.action_space)
        return self._obs.copy(), reward, terminated, truncated, info


def history_spaces(obs_space: Any, action_space: Any, history: int) -> tuple[HistoryLayout, Box]:
    """The layout and the space of observations with a history.

    Args:
        obs_space: Space of one observation.
        action_space: Space of one action.
        history: Number of observations, k.

    Raises:
        SettingsError: Spaces that are not boxes of one axis.
    """
    for name, space in (("observation", obs_space), ("action", action_space)):
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise SettingsError(f"A history needs a Box of one {name} axis, got {space}.")
    layout = HistoryLayout(history, obs_space.shape[0], action_space.shape[0])
    dtype = np.result_type(obs_space.dtype, action_space.dtype)
    low, high = (
        np.concatenate([obs, *[action, obs] * (history - 1)]).astype(dtype)
        for obs, action in ((obs_space.low, action_space.low), (obs_space.high, action_space.high))
    )
    return layout, Box(low, high, dtype=dtype.type)


def without_past(obs: Any, action_space: Any, layout: HistoryLayout, dtype: Any) -> NDArray[Any]:
    """The observations that episodes begin with.

    Args:
        obs: First observations, `(..., d)`.
        action_space: Space of one action.
        layout: The layout.
        dtype: Type of the observations with a history.
    """
    first = np.asarray(obs)
    rest = np.broadcast_to(action_at_rest(action_space), (*first.shape[:-1], layout.action_dim))
    return np.concatenate([first, *[rest, first] * (layout.history - 1)], axis=-1).astype(dtype)


def after_step(
    obs: Any, action: Any, before: NDArray[Any], layout: HistoryLayout, action_space: Any
) -> NDArray[Any]:
    """The observations after a step, of the type of those before, whatever the type of the actions.

    An action beyond a bound is held as that bound, or the observation would lie outside its space. Models
    know no other: datasets with actions beyond their bounds are refused.

    Args:
        obs: What the environment gave, `(..., d)`.
        action: The actions given, `(..., k)`.
        before: The observations with their history before it, `(..., layout.size)`.
        layout: The layout.
        action_space: Space of one action.
    """
    if layout.history == 1:
        return np.array(obs, dtype=before.dtype)
    taken = np.clip(np.asarray(action), action_space.low, action_space.high)
    return np.concatenate([obs, taken, before[..., layout.kept]], axis=-1).astype(before.dtype)
