"""Environments that data come from, and user overrides of the metadata."""

from copy import deepcopy
from dataclasses import dataclass, replace

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box

from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import flat_box, float_action_box
from offline_envs.errors import DatasetError


@dataclass(frozen=True)
class KnownEnvironment:
    """A registered environment whose spaces a learned model can serve.

    Attributes:
        spec: Its specification, as `gym.make` takes it.
        obs_dim: Number of observation dimensions.
        action_space: Its action space.
    """

    spec: EnvSpec
    obs_dim: int
    action_space: Box


def known_environment(env_id: str) -> KnownEnvironment:
    """Look up and make an environment once, to learn its spaces.

    Raises:
        DatasetError: There is no such environment, it cannot be made here, or a space is not a flat Box.
    """
    try:
        spec = gym.spec(env_id)
        env = gym.make(spec, disable_env_checker=True)
    except Exception as error:  # a third-party constructor may raise anything
        raise DatasetError(f"env_id={env_id!r} cannot be made: {error}") from error
    source = f"Environment {env_id!r}"
    obs_space = flat_box(source, "observation", env.observation_space)
    action_space = float_action_box(source, env.action_space)
    env.close()
    return KnownEnvironment(deepcopy(spec), obs_space.shape[0], action_space)


@dataclass(frozen=True)
class Overrides:
    """User overrides (`env_id=`, `action_space=`), which take precedence over the dataset's metadata.

    Attributes:
        env: The environment named by `env_id=`, or None.
        action_space: The space given by `action_space=`, else the environment's, else None.
    """

    env: KnownEnvironment | None
    action_space: Box | None

    @classmethod
    def of(cls, env_id: str | None, action_space: Box | None) -> "Overrides":
        """Look up the named environment.

        Raises:
            DatasetError: See `known_environment`; or the action space is not a flat Box of real numbers.
        """
        env = None if env_id is None else known_environment(env_id)
        if action_space is not None:
            return cls(env, float_action_box("action_space=", action_space))
        return cls(env, None if env is None else env.action_space)

    @property
    def key(self) -> str:
        """Cache key: distinct overrides have distinct keys."""
        env = None if self.env is None else self.env.spec.id
        space = self.action_space
        return f"{env} {None if space is None else (space.low.tolist(), space.high.tolist())}"

    def applied_to(self, transitions: Transitions) -> Transitions:
        """Return the transitions with this environment and action space, where they are known.

        Raises:
            DatasetError: The environment's observations have another number of dimensions.
        """
        if self.env is not None and self.env.obs_dim != transitions.obs_dim:
            raise DatasetError(
                f"{transitions.source} has {transitions.obs_dim} observation dimensions, but "
                f"{self.env.spec.id} has {self.env.obs_dim}. Pass the env_id= that the data come from."
            )
        if self.action_space is None:
            return transitions
        spec = transitions.env_spec if self.env is None else self.env.spec
        return replace(transitions, action_space=self.action_space, env_spec=spec)
