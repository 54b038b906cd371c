"""Finding the model of a wrapped environment, and the wrappers in between."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
from gymnasium.spaces import Box, Dict
from gymnasium.vector import VectorWrapper
from torch import Tensor

from offline_envs.data import HistoryLayout, n_columns
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs.assembly import resolve_model
from offline_envs.envs.learned_env import LearnedEnv, learned_spaces
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.errors import SettingsError


@runtime_checkable
class ReplacesRewards(Protocol):
    """An environment or wrapper that gives some rows a fixed reward, which pessimism must leave alone."""

    @property
    def reward_replaced(self) -> Tensor:
        """Rows of the last step whose reward was a fixed one, bool `(n,)`."""


@runtime_checkable
class Halts(Protocol):
    """An environment or wrapper that may end the episodes of unknown rows."""

    @property
    def halts(self) -> bool:
        """Whether it does."""


def model_of(
    env: Any,
    obs_space: gym.Space[Any],
    action_space: gym.Space[Any],
    model: str | Path | DynamicsModel | None,
) -> DynamicsModel:
    """The model of an environment: the one given, or its own.

    Args:
        env: The environment, single or vector.
        obs_space: Observation space of one episode.
        action_space: Action space of one episode.
        model: Folder of a fitted ensemble, or the ensemble; None means a learned environment's own.

    Raises:
        SettingsError: Spaces that no model is learned for, a model of other dimensions, no model, or a
            learned environment in other units than its model's.
    """
    obs_dim, action_dim = (
        _dimensions(name, space) for name, space in (("observation", obs_space), ("action", action_space))
    )
    if model is None and is_learned(env):
        model = env.unwrapped.ensemble
    if model is None:
        raise SettingsError(
            f"{env.unwrapped} is not a learned environment, so it has no model to measure uncertainty. "
            "Pass model=, a folder written by `offline-envs fit` or a DynamicsModel."
        )
    if is_learned(env):
        _check_direct(env.unwrapped, obs_space, action_space)
    device = str(getattr(env.unwrapped, "device", "cpu"))
    return resolve_model(model, obs_dim, action_dim, device=device, history=_history(env))


def _history(env: Any) -> int:
    """Number of recorded observations in one of the environment: a learned one's, or that of a wrapper."""
    if is_learned(env):
        history: int = env.unwrapped.transitions.history
        return history
    layouts = (vars(layer).get("layout") for layer in layers(env))
    return next((layout.history for layout in layouts if isinstance(layout, HistoryLayout)), 1)


def _dimensions(name: str, space: gym.Space[Any]) -> int:
    """Number of columns that a model sees of a space."""
    found = n_columns(space)
    if found is None or (name == "observation" and not isinstance(space, Box | Dict)):
        other = ", a Discrete or a MultiDiscrete" if name == "action" else ", or a Dict of such"
        raise SettingsError(f"The {name} space must be a Box of one dimension{other}, got {space}.")
    return found


def is_learned(env: Any) -> bool:
    """Whether the environment is a learned one, whose rewards are float32 numbers."""
    return isinstance(env.unwrapped, LearnedEnv | LearnedVectorEnv)


def layers(env: Any) -> Iterator[Any]:
    """The environment, what it wraps, and so on to the innermost."""
    yield env
    while isinstance(env, gym.Wrapper | VectorWrapper):
        env = env.env
        yield env


def declares(layer: object, flag: str) -> bool:
    """Whether the class of a wrapper sets a flag itself; a subclass may change more, so none is inherited."""
    return bool(vars(type(layer)).get(flag, False))


def _check_direct(
    env: LearnedEnv | LearnedVectorEnv, obs_space: gym.Space[Any], action_space: gym.Space[Any]
) -> None:
    """Refuse a wrapper that changes observations or actions before the model sees them."""
    for space, learned in zip((obs_space, action_space), learned_spaces(env.transitions), strict=True):
        if space != learned:
            raise SettingsError(
                "Pessimism must be applied directly to the learned environment, in its units: got "
                f"{space} instead of {learned}. Put wrappers that change observations or actions outside."
            )
