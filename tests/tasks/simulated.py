"""Rollouts of uniform actions in the simulator, with velocities taken from its positions."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from offline_envs.data import Transitions, load_transitions
from offline_envs.data.transitions import TENSOR_FIELDS

COLUMNS = {"HalfCheetah-v5": ("x",), "Ant-v5": ("x", "y"), "Hopper-v5": ("x",)}


class Simulated(NamedTuple):
    """Transitions as a user logs them, and the simulator's values at every step.

    Attributes:
        transitions: Logged under the default reward, with all infos.
        velocity: Velocities along x (and y) from positions, float64 `(n, 1 or 2)` in m/s.
        height: Height coordinate after the step, float64 `(n,)` in m.
    """

    transitions: Transitions
    velocity: NDArray[np.float64]
    height: NDArray[np.float64]


@cache
def simulated(env_id: str, n: int = 300, **kwargs: Any) -> Simulated:
    """Roll out uniform actions in episodes of up to 100 steps."""
    with _elsewhere():
        env: Any = gym.make(env_id, max_episode_steps=100, **kwargs)
    columns = len(COLUMNS[env_id])
    env.action_space.seed(0)
    obs, _ = env.reset(seed=0)
    rows: dict[str, list[Any]] = {name: [] for name in ("observations", "actions", "rewards", "next_obs")}
    rows |= {"terminated": [], "truncated": [], "infos": [], "velocity": [], "height": []}
    for _ in range(n):
        before, action = _position(env, columns), env.action_space.sample()
        next_obs, reward, terminated, truncated, info = env.step(action)
        moved = (_position(env, columns) - before) / env.unwrapped.dt
        height = env.unwrapped.data.qpos[columns]
        values = (obs, action, reward, next_obs, terminated, truncated, info, moved, height)
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
        obs = env.reset()[0] if terminated or truncated else next_obs
    env.close()
    logged = rows.pop("infos")
    infos = {name: np.array([info[name] for info in logged]) for name in logged[0]}
    velocity, height = np.array(rows.pop("velocity")), np.array(rows.pop("height"))
    loaded = load_transitions({**{name: np.array(values) for name, values in rows.items()}, "infos": infos})
    return Simulated(replace(loaded, env_spec=env.spec, source=env_id), velocity, height)


def without(transitions: Transitions, *infos: str) -> Transitions:
    """The same data without some infos."""
    return replace(transitions, infos={k: v for k, v in transitions.infos.items() if k not in infos})


def padded(transitions: Transitions, n_columns: int) -> Transitions:
    """The same data with more observation columns, all 7."""
    more = torch.full((len(transitions), n_columns), 7.0)
    obs, next_obs = (torch.cat([o, more], dim=1) for o in (transitions.obs, transitions.next_obs))
    return replace(transitions, obs=obs, next_obs=next_obs)


def saved(transitions: Transitions, path: Path) -> Path:
    """Write the steps, without infos and environment, as an `.npz` archive."""
    np.savez(path, **{name: getattr(transitions, name).numpy() for name in TENSOR_FIELDS})
    return path


def _position(env: Any, columns: int) -> NDArray[np.float64]:
    data = env.unwrapped.data
    # Ant measures its torso where the last substep began, HalfCheetah its joint.
    position = data.qpos if columns == 1 else data.body(1).xpos
    return np.array(position[:columns])


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """MuJoCo may write a log into the working directory."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
