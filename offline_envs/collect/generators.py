"""The random generators behind a collection, as JSON values."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

GeneratorState = Any
"""What NumPy says of a bit generator: names and whole numbers."""


def reset_generator(env: gym.Env[Any, Any]) -> GeneratorState:
    """Return the state of the generator that an environment's resets draw from."""
    return env.unwrapped.np_random.bit_generator.state


def write_generators(path: Path, env: gym.Env[Any, Any], *, reset: GeneratorState) -> None:
    """Write all generators as they are now, but that of the environment as it was before its last reset.

    Stable-Baselines3 draws from the global generators of NumPy and torch and from the action space.

    Args:
        path: JSON file to write.
        env: Environment, just reset.
        reset: `reset_generator` of `env` from before that reset.
    """
    states = {
        "environment": reset,
        "actions": env.action_space.np_random.bit_generator.state,
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002  # the one that Stable-Baselines3 uses
        "torch": torch.get_rng_state(),
    }
    path.write_text(json.dumps(states, default=lambda array: array.tolist()), encoding="utf-8")


def restore_generators(path: Path, env: gym.Env[Any, Any]) -> None:
    """Put all generators back. The next reset of `env` is the one that came last when they were written."""
    states = json.loads(path.read_text(encoding="utf-8"))
    env.unwrapped.np_random.bit_generator.state = states["environment"]
    env.action_space.np_random.bit_generator.state = states["actions"]
    np.random.set_state(states["numpy"])  # noqa: NPY002  # the one that Stable-Baselines3 uses
    torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))
