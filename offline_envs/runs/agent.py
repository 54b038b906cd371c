"""The agent of a run, made from the run's settings."""

from copy import deepcopy
from typing import Any

import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from sb3_contrib import QRDQN
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.type_aliases import GymEnv

from offline_envs.agents import AGENTS
from offline_envs.data import Transitions
from offline_envs.envs import learned_spaces
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import (
    MixedReplayBuffer,
    SB3VecEnv,
    agent_class,
    check_clonable,
    check_values,
    constructor_options,
    standardized_by,
    with_device_rollouts,
    with_uniform_rollouts,
)

TARGET_STEPS = 2_500
"""Gradient steps between copies of DQN's target: SB3's 10 000 transitions, with a step for every 4."""


def run_agent_class(settings: RunSettings) -> type[BaseAlgorithm]:
    """Class of a run's agent, with rollouts on the device and uniform actions if the run asks for them."""
    agent = agent_class(settings.agent)
    if settings.rollout_actions == "uniform":
        agent = with_uniform_rollouts(agent)
    return with_device_rollouts(agent) if collects_on_device(settings) else agent


def collects_on_device(settings: RunSettings) -> bool:
    """Whether transitions move from model to replay buffer without leaving the device, faster on a GPU."""
    on_gpu = torch.device(settings.device).type != "cpu"
    agent = AGENTS.find(settings.agent)
    squashes = agent.off_policy and agent.continuous  # to [−1, 1]
    return on_gpu and squashes and not settings.agent_options.get("use_sde")


def check_agent_options(settings: RunSettings) -> None:
    """Refuse keywords that the agent does not take, before anything is computed.

    Raises:
        SettingsError: An unknown agent or keyword, one that the run sets itself, or a value of the wrong type
            or out of range.
    """
    agent = agent_class(settings.agent)
    known = {name for name in constructor_options(agent) if not name.startswith("_")}
    for name in settings.agent_options:
        if name in _own_keywords(settings) or name in ("policy", "env"):
            raise SettingsError(f"agent_options cannot hold {name!r}: a run sets it from its own settings.")
        if name == "tensorboard_log":
            raise SettingsError(
                "agent_options cannot hold 'tensorboard_log': a run logs into tensorboard/ of its own folder."
            )
        if name not in known:
            raise unknown_name(f"option of {settings.agent}", name, known - set(_own_keywords(settings)))
    n_steps = settings.agent_options.get("n_steps", 1)
    if n_steps != 1 and AGENTS.find(settings.agent).off_policy:  # SB3 would warn and take one
        raise SettingsError(
            f"agent_options of {settings.agent} must have n_steps=1, got {n_steps!r}: targets over several "
            "steps need another replay buffer than that of a run."
        )
    try:
        check_values(agent, settings.agent_options)
    except SettingsError as error:
        raise SettingsError(f"agent_options do not fit {settings.agent}: {error}") from error


def check_agent(settings: RunSettings, transitions: Transitions, *, clones: bool) -> None:
    """Make the agent of a run once, on the spaces of its environment alone, before a model is fitted.

    Args:
        settings: The run.
        transitions: Its dataset.
        clones: Whether its policy is fitted to actions.

    Raises:
        SettingsError: Actions that the agent, or cloning, is not for, or a value in `agent_options` that the
            agent does not take.
    """
    _check_actions(settings, transitions)
    env = SB3VecEnv(_SpacesOnly(settings.n_envs, transitions))
    agent = _made(agent_class(settings.agent), settings, env, transitions)
    if clones:
        check_clonable(agent.policy, settings.clone_loss)


def _check_actions(settings: RunSettings, transitions: Transitions) -> None:
    kind, discrete = AGENTS.find(settings.agent), transitions.discrete_actions
    if not (kind.continuous if discrete is None else kind.discrete):
        found = transitions.action_space if discrete is None else discrete
        usable = [n for n, a in AGENTS.items() if (a.continuous if discrete is None else a.discrete)]
        raise SettingsError(
            f"{settings.agent} is not for the actions of {transitions.source}, {found}. Valid agents: "
            f"{', '.join(usable)}."
        )


class _SpacesOnly(VectorEnv[Any, Any, Any]):
    """A learned environment's spaces and number of rows, to construct an agent with."""

    def __init__(self, num_envs: int, transitions: Transitions) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.single_observation_space, self.single_action_space = learned_spaces(transitions)


def new_agent(settings: RunSettings, env: GymEnv, transitions: Transitions) -> BaseAlgorithm:
    """Make the agent that a run starts with.

    Args:
        settings: The run.
        env: Environment that the agent trains in.
        transitions: The run's dataset.

    Raises:
        SettingsError: A value in `agent_options` that the agent does not take.
    """
    return _made(run_agent_class(settings), settings, env, transitions)


def _made(
    kind: type[BaseAlgorithm], settings: RunSettings, env: GymEnv, transitions: Transitions
) -> BaseAlgorithm:
    options = dict(deepcopy(settings.agent_options))  # SB3 writes into `policy_kwargs`
    if settings.standardize_obs:
        options["policy_kwargs"] = {**(options.get("policy_kwargs") or {}), **standardized_by(transitions)}
    keywords = {
        **settings.cycle().keywords,
        **_target_interval(settings),
        **options,
        **_own_keywords(settings),
    }
    try:
        return kind("MlpPolicy", env, **keywords)
    except (TypeError, ValueError, AssertionError) as error:
        raise SettingsError(f"agent_options do not fit {settings.agent}: {error}") from error


def _target_interval(settings: RunSettings) -> dict[str, int]:
    """The default of DQN and QR-DQN, which count transitions between copies of the target network.

    Theirs stands for `TARGET_STEPS` gradient steps; with a run's many transitions for each step it would be a
    few dozen.
    """
    if not issubclass(agent_class(settings.agent), (DQN, QRDQN)):
        return {}
    return {"target_update_interval": max(1, round(TARGET_STEPS * settings.transitions_ratio))}


def _own_keywords(settings: RunSettings) -> dict[str, Any]:
    keywords = {**settings.cycle().keywords, "seed": settings.seed, "device": settings.device}
    if not AGENTS.find(settings.agent).off_policy:
        return keywords
    del keywords["buffer_size"]  # agent_options may change it
    # By id, not by value: these are saved with the agent, whose file would otherwise hold the dataset.
    names = ("dataset", "real_ratio", "task", "history")
    replay = {name: getattr(settings, name) for name in names} | {"env_id": settings.named_environment()}
    return {**keywords, "replay_buffer_class": MixedReplayBuffer, "replay_buffer_kwargs": replay}
