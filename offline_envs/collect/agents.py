"""New and saved agents for a collection."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.save_util import open_path

from offline_envs.agents import AGENTS
from offline_envs.collect.settings import CollectSettings
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.policies import read_agent

EXPLORATION_STD = 0.1  # of actions scaled to [-1, 1]: TD3 (Fujimoto et al. 2018), section 6.1
BUFFER_STEPS = 1_000_000  # largest replay buffer


def new_agent(settings: CollectSettings, env: gym.Env[Any, Any], *, steps: int) -> OffPolicyAlgorithm:
    """Make an untrained agent with Stable-Baselines3's own hyper-parameters.

    Args:
        settings: Names the agent, the seed and the network.
        env: Environment that it will be trained in.
        steps: Length of the training; the replay buffer holds all of it, up to `BUFFER_STEPS`.
    """
    agent = AGENTS.find(settings.agent)
    shape = env.action_space.shape
    noise = NormalActionNoise(np.zeros(shape or ()), np.full(shape or (), EXPLORATION_STD))
    make = cast(Callable[..., OffPolicyAlgorithm], agent.load())
    return make(
        "MlpPolicy",
        env,
        seed=settings.seed,
        device="cpu",  # sums on a GPU differ from run to run
        buffer_size=min(steps, BUFFER_STEPS),
        **({"action_noise": noise} if agent.needs_noise else {}),  # the others explore by themselves
        policy_kwargs={"net_arch": list(settings.net_arch)},
    )


def load_agent(settings: CollectSettings, path: Path, env: gym.Env[Any, Any]) -> BaseAlgorithm:
    """Load an agent. The file is Stable-Baselines3's own and can run code.

    Args:
        settings: Names the agent.
        path: The file, a .zip.
        env: Environment whose spaces the agent must have; the agent is not attached to it.

    Raises:
        CheckpointError: The file is missing, or was not saved by this agent.
        SettingsError: The agent was trained with other spaces than this environment's.
    """
    agent = read_agent(path, settings.agent)
    for name in ("observation_space", "action_space"):
        trained, wanted = getattr(agent, name), getattr(env, name)
        if trained.shape != wanted.shape:
            raise SettingsError(
                f"{path} was trained with {name} {trained}, but the environment has {wanted}."
            )
    return agent


def policy_digest(path: Path) -> str:
    """Return the SHA-256 of a policy's file.

    Raises:
        CheckpointError: The file cannot be read.
    """
    try:
        if not any(file.is_file() for file in (path, path.with_name(f"{path.name}.zip"))):
            raise CheckpointError(f"There is no file {path} to load a policy from.")
        with open_path(path, "r", suffix="zip") as file:  # It adds a missing suffix, as loading does.
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be loaded as a policy: {error}") from error
