"""`model_of_agent`: the model in whose units an agent acts."""

from pathlib import Path
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.dynamics import DynamicsModel
from offline_envs.envs import LearnedEnv, LearnedVectorEnv, declares, resolve_model
from offline_envs.errors import SettingsError
from offline_envs.sb3.callbacks.adversarial_layers import TRANSPARENT_WRAPPERS
from offline_envs.sb3.rollouts.device_support import ON_DEVICE_WRAPPERS
from offline_envs.sb3.vec_env.wrapped import wrapped_envs
from offline_envs.wrappers import HaltOnUnknown, MatchSpaces, UncertaintyPenalty, vector

SAME_UNITS: tuple[type, ...] = (
    *(*TRANSPARENT_WRAPPERS, *ON_DEVICE_WRAPPERS),
    *(HaltOnUnknown, MatchSpaces, UncertaintyPenalty, vector.MatchSpaces),
)
"""Wrappers that leave the values of observations and actions as they are."""


def model_of_agent(agent: OffPolicyAlgorithm, given: str | Path | DynamicsModel | None) -> DynamicsModel:
    """The model that an agent asks about its own observations and actions, on the agent's device.

    Args:
        agent: The agent.
        given: Folder of a fitted model, or the model; None means that of the learned environment in which
            the agent trains.

    Raises:
        SettingsError: There is no model, it has other dimensions, or a wrapper may change observations or
            actions between it and the agent.
        CheckpointError: The folder holds no readable model.
    """
    name = type(agent).__name__
    if agent.get_vec_normalize_env() is not None:
        raise SettingsError(
            f"{name} asks the model about its own observations, which VecNormalize rescales. Leave it out."
        )
    model = _model_of_env(agent, name) if given is None else given
    obs_space, action_space = agent.observation_space, agent.action_space
    for kind, space in (("observation", obs_space), ("action", action_space)):
        if space.shape is None or len(space.shape) != 1:
            raise SettingsError(f"{name} needs a Box of one {kind} dimension, got {space}.")
    return resolve_model(model, obs_space.shape[0], action_space.shape[0], device=str(agent.device))  # type: ignore[index]


def _model_of_env(agent: OffPolicyAlgorithm, name: str) -> DynamicsModel:
    wrapped: list[Any] = [] if agent.env is None else list(wrapped_envs(agent.env))
    env = wrapped.pop() if wrapped else None
    if not isinstance(env, LearnedEnv | LearnedVectorEnv):
        raise SettingsError(
            f"{name} trains with a model, and {env} has none. Train it in a learned environment, e.g. "
            "SB3VecEnv(gym.make_vec('LearnedModel-v0', num_envs=..., dataset=...)), or pass model=, a folder "
            "written by `offline-envs fit` or a DynamicsModel."
        )
    for layer in wrapped:
        if not isinstance(layer, SAME_UNITS) and not any(
            declares(layer, flag) for flag in ("transparent", "on_device")
        ):
            raise SettingsError(
                f"{name} needs an agent that sees the model's own observations and actions, but "
                f"{type(layer).__name__} is in between. A wrapper that leaves them as they are declares so "
                "by a class attribute transparent = True."
            )
    return env.ensemble
