"""Environments that the user names: by an id, with keywords, or as a specification."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box

from offline_envs.data.spaces.discrete import DiscreteSpace, one_hot_box
from offline_envs.data.spaces.observations import ObsSpace, obs_bounds
from offline_envs.data.validation import known_action_space, known_obs_space
from offline_envs.errors import DatasetError, SettingsError


@dataclass(frozen=True)
class KnownEnvironment:
    """An environment whose spaces a learned model can serve.

    Attributes:
        spec: Its specification, as `gym.make` takes it.
        obs_space: Its observation space.
        action_space: Its action space.
    """

    spec: EnvSpec
    obs_space: ObsSpace
    action_space: Box | DiscreteSpace

    @property
    def obs_dim(self) -> int:
        """Number of observation dimensions that a model sees."""
        return len(obs_bounds(self.obs_space)[0])

    @property
    def action_dim(self) -> int:
        """Number of action dimensions that a model sees."""
        space = self.action_space
        return int((space if isinstance(space, Box) else one_hot_box(space)).shape[0])


def known_environment(env_id: str | EnvSpec) -> KnownEnvironment:
    """Look up and make an environment once, to learn its spaces.

    Args:
        env_id: Id of a registered environment, with its module as in `gym.make` if that registers it; or a
            specification, e.g. `gym.make("Ant-v4", use_contact_forces=True).spec`.

    Raises:
        DatasetError: There is no such environment, it cannot be made here, or a space is none that
            a model can be learned for.
    """
    name = env_id.id if isinstance(env_id, EnvSpec) else env_id
    try:
        spec = deepcopy(env_id if isinstance(env_id, EnvSpec) else _registered(env_id))
        env = gym.make(spec, disable_env_checker=True)
    except Exception as error:  # a third-party constructor may raise anything
        raise DatasetError(f"env_id={name!r} cannot be made: {error}") from error
    source = f"Environment {name!r}"
    obs_space = known_obs_space(source, env.observation_space)
    action_space = known_action_space(source, env.action_space)
    env.close()
    return KnownEnvironment(spec, obs_space, action_space)


def named_environment(env_id: str | EnvSpec | None, env_kwargs: Mapping[str, Any]) -> str | EnvSpec | None:
    """Join an id and keywords to what `env_id=` takes, e.g. for settings that must be JSON.

    Args:
        env_id: An id, a specification or None.
        env_kwargs: Keywords of the environment, besides those that it is registered with.

    Raises:
        SettingsError: There are keywords without an id.
        DatasetError: There is no such environment.
    """
    if not env_kwargs:
        return env_id
    if env_id is None:
        raise SettingsError(
            f"env_kwargs={dict(env_kwargs)} belong to an environment that you name. Give env_id= (--env-id)."
        )
    spec = env_id if isinstance(env_id, EnvSpec) else known_spec(env_id)
    return replace(deepcopy(spec), kwargs={**deepcopy(spec.kwargs), **deepcopy(dict(env_kwargs))})


def known_spec(env_id: str) -> EnvSpec:
    """Look up a registered environment.

    Raises:
        DatasetError: There is none of this id.
    """
    try:
        return _registered(env_id)
    except (gym.error.Error, ImportError) as error:
        raise DatasetError(f"env_id={env_id!r} cannot be made: {error}") from error


def _registered(env_id: str) -> EnvSpec:
    if env_id.count(":") != 1:
        return gym.spec(env_id)
    module, name = env_id.split(":")
    import_module(module)
    return gym.spec(name)
