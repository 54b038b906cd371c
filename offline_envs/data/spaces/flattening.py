"""`FlatObservation`: an environment of Dict observations, seen as the columns of a model."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Dict
from numpy.typing import NDArray

from offline_envs.data.spaces.observations import checked_dict, flat_space, flatten_obs
from offline_envs.errors import DatasetError


class FlatObservation(gym.ObservationWrapper[NDArray[np.float32], Any, Any]):
    """Observations of a Dict as one array, float32 `(d,)`: part by part, sorted by name.

    Unlike `gymnasium.wrappers.FlattenObservation`, it takes the parts of the data, in their order.

    Args:
        env: Environment of Dict observations.
        space: The parts that are taken; None means all.

    Raises:
        DatasetError: The environment lacks a part, or has it in another shape, or a part is no flat Box.
    """

    def __init__(self, env: gym.Env[Any, Any], space: Dict | None = None) -> None:
        super().__init__(env)
        name = "The environment" if env.spec is None else f"Environment {env.spec.id!r}"
        found = env.observation_space
        if space is None:
            assert isinstance(found, Dict)
            space = checked_dict(name, found)
        shapes = {part: box.shape for part, box in space.spaces.items()}
        given = {n: box.shape for n, box in found.spaces.items()} if isinstance(found, Dict) else found.shape
        if not isinstance(given, dict) or any(given.get(part) != shape for part, shape in shapes.items()):
            raise DatasetError(
                f"{name} must give the observations of the data, by name and shape {shapes}; it gives "
                f"{given}. Pass the env_id= that the data come from."
            )
        self._parts = space
        self.observation_space: Any = flat_space(space)

    def observation(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        """The observation as columns."""
        arrays = {name: np.asarray(observation[name]) for name in self._parts.spaces}
        return np.asarray(flatten_obs(self._parts, arrays, ()), dtype=np.float32)


def with_flat_obs(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """`FlatObservation` of an environment of Dict observations; another one is returned as it is.

    Raises:
        DatasetError: A part of its observations is no flat Box.
    """
    return FlatObservation(env) if isinstance(env.observation_space, Dict) else env
