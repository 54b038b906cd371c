"""Checkpoints of a run: the agent and the model rows of its replay buffer, replaced together."""

from collections.abc import Callable
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.errors import CheckpointError
from offline_envs.files import new_folder, put_back, seal, verify
from offline_envs.runs.resuming.random_streams import read_streams, write_streams
from offline_envs.sb3 import SB3VecEnv

AGENT_FILE, BUFFER_FILE = "agent.zip", "replay_buffer.pkl"
STREAMS_FILE = "streams.safetensors"
"""State of random generators and imagined episodes."""


def save_checkpoint(
    agent: BaseAlgorithm, env: SB3VecEnv, folder: Path, *, more: Callable[[Path], None] | None = None
) -> None:
    """Write a checkpoint, so that `has_checkpoint` finds the old one or the complete new one at any moment.

    Args:
        agent: The agent, between two cycles: neither collecting nor learning.
        env: Its environment.
        folder: The checkpoint.
        more: Writes further files into the folder that it is given.
    """
    with new_folder(folder) as part:
        agent.save(part / AGENT_FILE)
        write_streams(part / STREAMS_FILE, agent, env)
        if isinstance(agent, OffPolicyAlgorithm):
            agent.save_replay_buffer(part / BUFFER_FILE)
        if more is not None:
            more(part)
        seal(part)


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint; one whose replacement was interrupted is restored."""
    put_back(folder)
    return folder.exists()


def load_checkpoint(
    agent_class: type[BaseAlgorithm], folder: Path, env: SB3VecEnv, *, device: str
) -> BaseAlgorithm:
    """Read a checkpoint back. The files are Stable-Baselines3's own and can run code: load only your own.

    All random streams and the imagined episodes continue where they were, so on the same CPU with the same
    number of threads the agent learns what an uninterrupted one would have learned, bit for bit. Exceptions
    are gSDE, whose noise is drawn again, and CUDA devices, whose sums may round differently in each run.

    Args:
        agent_class: Class of the agent.
        folder: The checkpoint.
        env: Environment to continue in.
        device: Device of the agent.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    try:
        verify(folder)  # before anything is unpickled
        agent = agent_class.load(folder / AGENT_FILE, env=env, device=device, force_reset=False)
        if isinstance(agent, OffPolicyAlgorithm):
            agent.load_replay_buffer(folder / BUFFER_FILE)
    except Exception as error:  # SB3 passes on whatever zipfile, pickle or torch raise
        raise CheckpointError(f"The checkpoint {folder} cannot be read: {error}") from error
    read_streams(folder / STREAMS_FILE, agent, env)
    return agent
