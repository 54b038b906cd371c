"""The agent of a run, made from the run's settings."""

import inspect
from copy import deepcopy
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.type_aliases import GymEnv

from offline_envs.errors import SettingsError, unknown_name
from offline_envs.runs.cycle import off_policy
from offline_envs.runs.settings import TrainSettings
from offline_envs.sb3 import MixedReplayBuffer, agent_class, with_device_rollouts, with_uniform_rollouts


def run_agent_class(settings: TrainSettings) -> type[BaseAlgorithm]:
    """The class of a run's agent, whose rollouts are where and have the actions that the run asks for."""
    agent = agent_class(settings.agent)
    if settings.rollout_actions == "uniform":
        agent = with_uniform_rollouts(agent)
    return with_device_rollouts(agent) if collects_on_device(settings) else agent


def collects_on_device(settings: TrainSettings) -> bool:
    """Whether transitions go from model to replay buffer without leaving the device, which pays on a GPU."""
    on_gpu = torch.device(settings.device).type != "cpu"
    return on_gpu and off_policy(settings.agent) and not settings.agent_options.get("use_sde")


def check_agent_options(settings: TrainSettings) -> None:
    """Refuse keywords that the agent does not take, before anything is computed.

    Raises:
        SettingsError: An unknown agent or keyword, or one that the run sets itself.
    """
    known = set(inspect.signature(agent_class(settings.agent).__init__).parameters) - {"self"}
    for name in settings.agent_options:
        if name in _own_keywords(settings) or name in ("policy", "env"):
            raise SettingsError(f"agent_options cannot hold {name!r}: a run sets it from its own settings.")
        if name not in known:
            raise unknown_name(f"option of {settings.agent}", name, known - set(_own_keywords(settings)))


def new_agent(settings: TrainSettings, env: GymEnv) -> BaseAlgorithm:
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


def _own_keywords(settings: TrainSettings) -> dict[str, Any]:
    keywords = {**settings.cycle().keywords, "seed": settings.seed, "device": settings.device}
    if not off_policy(settings.agent):
        return keywords
    del keywords["buffer_size"]  # the one of them that is a matter of taste
    names = ("dataset", "real_ratio", "env_id", "task")
    replay = {name: getattr(settings, name) for name in names}
    return {**keywords, "replay_buffer_class": MixedReplayBuffer, "replay_buffer_kwargs": replay}
