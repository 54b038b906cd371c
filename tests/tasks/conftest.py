"""The simulator as the reference: real environments, and their verdict on a state that a test chooses."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

MakeEnv = Callable[..., gym.Env[Any, Any]]
Verdict = tuple[NDArray[np.float64], bool]


@pytest.fixture
def make_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeEnv]:
    """Make environments, old versions included, and close them after the test.

    MuJoCo may write `MUJOCO_LOG.TXT` into the working directory (4.0 does for HalfCheetah), hence the move.
    """
    monkeypatch.chdir(tmp_path)
    made = []

    def make(env_id: str, **kwargs: Any) -> gym.Env[Any, Any]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is out of date", category=DeprecationWarning)
            made.append(gym.make(env_id, **kwargs))
        return made[-1]

    yield make
    for env in made:
        env.close()


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Callable[[gym.Env[Any, Any], str, int, float], Verdict]:
    """Ask a MuJoCo environment's own `step` about its initial state with one entry changed.

    No time passes during that step: the observation and `terminated` are those of the state chosen.
    """

    def ask(env: gym.Env[Any, Any], vector: str, index: int, value: float) -> Verdict:
        simulator: Any = env.unwrapped
        monkeypatch.setattr(simulator, "do_simulation", lambda action, n_frames: None)
        state = {"qpos": simulator.init_qpos.copy(), "qvel": simulator.init_qvel.copy()}
        state[vector][index] = value
        simulator.set_state(state["qpos"], state["qvel"])
        next_obs, _, terminated, _, _ = simulator.step(np.zeros(simulator.action_space.shape))
        return next_obs, bool(terminated)

    return ask
