"""Small datasets whose every number is known."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import torch
from gymnasium.spaces import Box, Space
from minari import MinariDataset
from minari.data_collector import EpisodeBuffer

from offline_envs.data import Transitions

OBS_SPACE = Box(-np.inf, np.inf, (2,), np.float64)
ACTION_SPACE = Box(-1.0, 1.0, (1,), np.float32)


def episode(
    first: int, length: int, *, terminated: bool = True, infos: Any = None, observations: Any = None
) -> EpisodeBuffer:
    """Observations count up from `first`, beside their negatives; the reward is a tenth of the count."""
    counts = np.arange(first, first + length + 1, dtype=np.float64)
    last = np.arange(length) == length - 1
    arrays: dict[str, Any] = {
        "observations": np.stack([counts, -counts], axis=1) if observations is None else observations,
        "actions": (counts[:-1, None] / 100).astype(np.float32),
        "rewards": counts[:-1] / 10,
        "terminations": last & terminated,
        "truncations": last & (not terminated),
    }
    return EpisodeBuffer(**arrays, infos=infos)


def write_minari(
    dataset_id: str,
    episodes: Sequence[EpisodeBuffer],
    *,
    observation_space: Space[Any] = OBS_SPACE,
    action_space: Space[Any] = ACTION_SPACE,
    env: Any = None,
) -> MinariDataset:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is (set to )?None", category=UserWarning)
        dataset: MinariDataset = minari.create_dataset_from_buffers(
            dataset_id,
            list(episodes),
            env=env,
            observation_space=observation_space,
            action_space=action_space,
        )
    return dataset


def arrays(**changes: Any) -> dict[str, Any]:
    """An episode of three rows that terminates, and a truncated one of two; None takes a field away."""
    fields: dict[str, Any] = {
        "observations": np.array([[0.0], [1.0], [2.0], [10.0], [11.0]]),
        "actions": np.array([[0.1], [0.2], [0.3], [0.4], [0.5]]),
        "rewards": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        "next_observations": np.array([[1.0], [2.0], [3.0], [11.0], [12.0]]),
        "terminals": np.array([False, False, True, False, False]),
        "timeouts": np.array([False, False, False, False, True]),
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def transitions(n: int = 4, **changes: Any) -> Transitions:
    """One episode of `n` rows, or two if `episode_starts` says so; observations count up."""
    counts = torch.arange(n, dtype=torch.float32)
    fields: dict[str, Any] = {
        "obs": counts[:, None],
        "actions": counts[:, None] / 100,
        "rewards": counts,
        "next_obs": counts[:, None] + 1,
        "terminated": counts == n - 1,
        "episode_starts": torch.tensor([0]),
        "action_space": Box(-1.0, 1.0, (1,)),
        "source": "Known by heart",
    }
    return Transitions(**(fields | changes))


def same(left: Transitions, right: Transitions) -> bool:
    """Whether two sets of transitions hold the same numbers."""
    return left.fingerprint == right.fingerprint


def write_pendulum(dataset_id: str, *, steps: int = 2, **spec: Any) -> MinariDataset:
    """A dataset of Pendulum-v1 whose metadata describe the environment with other entries, JSON by name."""
    env = gym.make("Pendulum-v1")
    still = episode(0, steps, terminated=False, observations=np.zeros((steps + 1, 3), np.float32))
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    dataset = write_minari(dataset_id, [still], env=env, **spaces)
    describe_env(dataset, **spec)
    changed: MinariDataset = minari.load_dataset(dataset_id)
    return changed


def describe_env(dataset: MinariDataset, **spec: Any) -> None:
    """Change what the metadata of a written dataset say of its environment."""
    path = Path(dataset.storage.data_path) / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["env_spec"] = json.dumps({**json.loads(metadata["env_spec"]), **spec})
    path.write_text(json.dumps(metadata))
