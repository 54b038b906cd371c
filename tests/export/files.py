"""ONNX files as other programs read them, and runs whose policies become one; it imports without onnx."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.runs import RunFolder
from offline_envs.sb3 import agent_class, save_policy
from tests.runs.tiny import tiny_settings

LOW, HIGH = (-2.0, 0.0), (2.0, 3.0)


def metadata(file: Path) -> dict[str, Any]:
    """Metadata of a file, read as JSON where they are JSON."""
    import onnx

    return {entry.key: _read(entry.value) for entry in onnx.load(file).metadata_props}


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def run(file: Path, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Outputs of a file for its inputs, in their order."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [found.name for found in session.get_inputs()]
    outputs: list[NDArray[np.float32]] = session.run(None, dict(zip(names, inputs, strict=True)))
    return outputs


class Spaces(gym.Env[Any, Any]):
    """Observations of three entries, and actions whose bounds are not those of a squashed policy."""

    observation_space = Box(-np.inf, np.inf, (3,))
    action_space = Box(np.array(LOW, np.float32), np.array(HIGH, np.float32))


def run_of(agent: str, folder: Path, actions: Any = None, **options: Any) -> Any:
    """The folder of a run as far as a policy needs it, and the agent; `actions` replaces the action space."""
    run_folder = RunFolder(folder)
    run_folder.create(tiny_settings(agent=agent, seed=4))
    env = Spaces()
    if actions is not None:
        env.action_space = actions
    small: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 4}
    made = agent_class(agent)("MlpPolicy", env, **small, **options)
    save_policy(made, run_folder.policies / "last_policy.zip")
    return made
