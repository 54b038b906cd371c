"""The agent of a run, made from the run's settings."""

import inspect
from copy import deepcopy
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.type_aliases import GymEnv

from offline_envs.agents import AGENTS
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import (
    MixedReplayBuffer,
    agent_class,
    with_device_rollouts,
    with_uniform_rollouts,
)


def run_agent_class(settings: RunSettings) -> type[BaseAlgorithm]:
    """Class of a run's agent, with rollouts on the device and uniform actions if the run asks for them."""
    agent = agent_class(settings.agent)
    if settings.rollout_actions == "uniform":
        agent = with_uniform_rollouts(agent)
    return with_device_rollouts(agent) if collects_on_device(settings) else agent


def collects_on_device(settings: RunSettings) -> bool:
    """Whether transitions move from model to replay buffer without leaving the device, faster on a GPU."""
    on_gpu = torch.device(settings.device).type != "cpu"
    return on_gpu and AGENTS.find(settings.agent).off_policy and not settings.agent_options.get("use_sde")


def check_agent_options(settings: RunSettings) -> None:
    """Refuse keywords that the agent does not take, before anything is computed.

    Raises:
        SettingsError: An unknown agent or keyword, or one that the run sets itself.
    """
    known = constructor_options(agent_class(settings.agent))
    for name in settings.agent_options:
        if name in _own_keywords(settings) or name in ("policy", "env"):
            raise SettingsError(f"agent_options cannot hold {name!r}: a run sets it from its own settings.")
        if name not in known:
            raise unknown_name(f"option of {settings.agent}", name, known - set(_own_keywords(settings)))


def constructor_options(kind: type) -> set[str]:
    """Names of the keywords that a class's constructor takes.

    If it passes `**kwargs` on, the keywords of its base classes are included.
    """
    names: set[str] = set()
    for owner in kind.__mro__:
        if "__init__" not in vars(owner):
            continue
        _, *parameters = inspect.signature(vars(owner)["__init__"]).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def new_agent(settings: RunSettings, env: GymEnv) -> BaseAlgorithm:
    """Make the agent that a run starts with.

    Args:
        settings: The run.
        env: Environment that the agent trains in.

    Raises:
        SettingsError: A value in `agent_options` that the agent does not take.
    """
    options = deepcopy(settings.agent_options)  # SB3 writes into `policy_kwargs`
    keywords = {**settings.cycle().keywords, **options, **_own_keywords(settings)}
    try:
        return run_agent_class(settings)("MlpPolicy", env, **keywords)
    except (TypeError, ValueError, AssertionError) as error:
        raise SettingsError(f"agent_options do not fit {settings.agent}: {error}") from error


def _own_keywords(settings: RunSettings) -> dict[str, Any]:
    keywords = {**settings.cycle().keywords, "seed": settings.seed, "device": settings.device}
    if not AGENTS.find(settings.agent).off_policy:
        return keywords
    del keywords["buffer_size"]  # agent_options may change it
    # By id, not by value: these are saved with the agent, whose file would otherwise hold the dataset.
    names = ("dataset", "real_ratio", "task")
    replay = {name: getattr(settings, name) for name in names} | {"env_id": settings.named_environment()}
    return {**keywords, "replay_buffer_class": MixedReplayBuffer, "replay_buffer_kwargs": replay}
