"""Everything that a run's next random numbers depend on, beside what Stable-Baselines3 saves."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from offline_envs.files import read_tensors, write_tensors
from offline_envs.sb3 import SB3VecEnv

_ENV = "env."


def write_streams(path: Path, agent: BaseAlgorithm, vec_env: SB3VecEnv) -> None:
    """Write the state of all random generators and of the imagined episodes, atomically.

    Args:
        path: The file.
        agent: The agent, between two cycles.
        vec_env: Its environment.
    """
    tensors = {_ENV + name: value for name, value in vec_env.state_dict().items()}
    tensors["torch"] = torch.get_rng_state()
    if agent.device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(agent.device)
    numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002 the one that SB3 draws from
    header = {
        "python": random.getstate(),
        "numpy": {**numpy, "state": {**numpy["state"], "key": numpy["state"]["key"].tolist()}},
        "action_space": agent.action_space.np_random.bit_generator.state,
    }
    write_tensors(path, tensors, header)


def read_streams(path: Path, agent: BaseAlgorithm, vec_env: SB3VecEnv) -> None:
    """Restore what `write_streams` wrote, so that the agent continues with the same random numbers.

    Raises:
        CheckpointError: The file is missing or damaged.
        SettingsError: The environment is another one.
    """
    tensors, header = read_tensors(path)
    vec_env.load_state_dict(_env_state(tensors))
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and agent.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["cuda"], agent.device)
    version, numbers, gauss = header["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(header["numpy"])  # noqa: NPY002 the one that SB3 draws from
    agent.action_space.np_random.bit_generator.state = header["action_space"]


def _env_state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_ENV): value for name, value in tensors.items() if name.startswith(_ENV)}
