"""Checkpoints of a run: the agent and the model rows of its replay buffer, replaced together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from offline_envs.errors import CheckpointError
from offline_envs.files import clear_leftovers, new_folder, put_back
from offline_envs.sb3 import gradient_steps

AGENT_FILE, BUFFER_FILE = "agent.zip", "replay_buffer.pkl"


def save_checkpoint(
    agent: BaseAlgorithm, folder: Path, *, more: Callable[[Path], None] | None = None
) -> None:
    """Write a checkpoint, so that `has_checkpoint` finds the old one or the complete new one at any moment.

    Args:
        agent: The agent.
        folder: The checkpoint.
        more: Writes further files into the folder that it is given.
    """
    clear_leftovers(folder)
    with new_folder(folder) as part:
        agent.save(part / AGENT_FILE)
        if isinstance(agent, OffPolicyAlgorithm):
            agent.save_replay_buffer(part / BUFFER_FILE)
        if more is not None:
            more(part)


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint; one whose replacement was interrupted is restored."""
    put_back(folder)
    return folder.exists()


def load_checkpoint(
    agent_class: type[BaseAlgorithm], folder: Path, env: VecEnv, *, device: str
) -> BaseAlgorithm:
    """Read a checkpoint back. The files are Stable-Baselines3's own and can run code: load only your own.

    The agent's random numbers restart from a seed that depends on its number of gradient steps; with the
    run's own seed it would get the same starts and noise again.

    Args:
        agent_class: Class of the agent.
        folder: The checkpoint.
        env: Environment to continue in.
        device: Device of the agent.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    try:
        agent = agent_class.load(folder / AGENT_FILE, env=env, device=device)
        if isinstance(agent, OffPolicyAlgorithm):
            agent.load_replay_buffer(folder / BUFFER_FILE)
    except Exception as error:  # SB3 passes on whatever zipfile, pickle or torch raise
        raise CheckpointError(f"The checkpoint {folder} cannot be read: {error}") from error
    fresh = np.random.SeedSequence([agent.seed or 0, gradient_steps(agent)]).generate_state(1)
    agent.set_random_seed(int(fresh[0] >> 1))
    return agent
