"""Checkpoints of a run: the agent and the model's part of its replay buffer, replaced together."""

import os
import shutil
from pathlib import Path

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from offline_envs.errors import CheckpointError
from offline_envs.sb3 import agent_class

AGENT_FILE, BUFFER_FILE = "agent.zip", "replay_buffer.pkl"


def save_checkpoint(agent: OffPolicyAlgorithm, folder: Path) -> None:
    """Write a checkpoint, so that `folder` holds the old or the whole new one."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir(parents=True)
    agent.save(part / AGENT_FILE)
    agent.save_replay_buffer(part / BUFFER_FILE)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(name: str, folder: Path, env: VecEnv, *, device: str) -> OffPolicyAlgorithm:
    """Read a checkpoint back. The files are Stable-Baselines3's own and can run code: load only your own.

    Args:
        name: Short name of the agent.
        folder: The checkpoint.
        env: Environment to go on in.
        device: Where the agent is computed.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    try:
        agent = agent_class(name).load(folder / AGENT_FILE, env=env, device=device)
        agent.load_replay_buffer(folder / BUFFER_FILE)
    except Exception as error:  # SB3 lets through whatever zipfile, pickle or torch raise
        raise CheckpointError(f"The checkpoint {folder} cannot be read: {error}") from error
    return agent
