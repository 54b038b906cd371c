"""`make_collected`: the environment of a collection, checked against what is to act in it."""

from typing import Any, Protocol

import gymnasium as gym
from gymnasium.spaces import Box

from offline_envs.agents import AGENTS, find_saved_agent, online_agents
from offline_envs.collect.settings import CollectSettings, Kind
from offline_envs.data import n_columns
from offline_envs.errors import SettingsError


class HasDims(Protocol):
    """A model, or a dataset."""

    @property
    def obs_dim(self) -> int:
        """Columns of an observation."""

    @property
    def action_dim(self) -> int:
        """Columns of an action."""


def make_collected(env_id: str, settings: CollectSettings) -> gym.Env[Any, Any]:
    """Make the environment, and check that it can be collected with these settings.

    Args:
        env_id: See `collect_dataset`.
        settings: What is to be collected there.

    Raises:
        SettingsError: It cannot be made, its spaces cannot be stored as plain arrays, or the agent or planner
            is not for its actions.
    """
    try:
        env = gym.make(env_id, **settings.env_kwargs)
    except (gym.error.Error, ImportError, TypeError) as error:
        raise SettingsError(f"Cannot make {env_id!r} with {dict(settings.env_kwargs)}: {error}") from error
    spaces = (env.observation_space, env.action_space)
    if not isinstance(env.observation_space, Box) or None in map(n_columns, spaces):
        raise SettingsError(
            f"Both spaces of {env_id} must be Box of one dimension, or actions discrete, got {spaces}."
        )
    if isinstance(env.action_space, Box) and not env.action_space.is_bounded():
        raise SettingsError(f"Actions of {env_id} must be bounded, got {env.action_space}.")
    _check_agent(env, settings)
    return env


def check_planned(env: gym.Env[Any, Any], settings: CollectSettings, planned_in: HasDims) -> None:
    """Refuse a planner whose model is of other observations or actions than the environment's.

    Args:
        env: The environment of the collection.
        settings: What is to be collected there.
        planned_in: The model, or the dataset that it will be fitted to.

    Raises:
        SettingsError: The numbers of dimensions differ.
    """
    found = planned_in.obs_dim, planned_in.action_dim
    expected = n_columns(env.observation_space), n_columns(env.action_space)
    if found != expected:
        assert env.spec is not None
        raise SettingsError(
            f"{settings.policy} needs a model of the observations and actions of {env.spec.id}, which have "
            f"{expected[0]} and {expected[1]} dimensions; those of its data have {found[0]} and {found[1]}."
        )


def _check_agent(env: gym.Env[Any, Any], settings: CollectSettings) -> None:
    """Refuse an agent, or a planner, that is not for the actions of an environment."""
    if settings.kind is Kind.RANDOM:
        return
    discrete = not isinstance(env.action_space, Box)
    agent = find_saved_agent(settings.agent)
    if settings.plans and discrete:
        raise SettingsError(f"{settings.policy} plans continuous actions, not those of {env.action_space}.")
    if not settings.plans and not (agent.discrete if discrete else agent.continuous):
        valid = [n for n in online_agents() if (AGENTS[n].discrete if discrete else AGENTS[n].continuous)]
        raise SettingsError(
            f"{settings.agent} is not for actions of {env.action_space}. Agents that can be trained there: "
            f"{', '.join(valid)}."
        )
