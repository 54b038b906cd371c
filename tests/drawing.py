"""Whether MuJoCo can draw here, for tests that need pictures, and pictures that need nothing."""

import os
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

PROBE = (
    "import gymnasium as g; e = g.make('InvertedPendulum-v5', render_mode='rgb_array'); e.reset(); e.render()"
)


@cache
def drawing_backend() -> str | None:
    """The value of MUJOCO_GL with which this machine draws, or None; found in a process that may crash."""
    for backend in dict.fromkeys([os.environ.get("MUJOCO_GL", "egl"), "egl", "osmesa"]):
        environment = {**os.environ, "MUJOCO_GL": backend}
        found = subprocess.run(
            [sys.executable, "-c", PROBE], env=environment, capture_output=True, check=False
        )
        if found.returncode == 0:
            return backend
    return None


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips a test where MuJoCo cannot draw."""
    backend = drawing_backend()
    if backend is None:
        pytest.skip("MuJoCo cannot draw here: neither MUJOCO_GL=egl nor osmesa works")
    monkeypatch.setenv("MUJOCO_GL", backend)


@pytest.fixture
def draws_positions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Gives MuJoCo pictures without OpenGL, and a list of the positions, `qpos`, that were drawn."""
    from gymnasium.envs.mujoco.mujoco_env import MujocoEnv

    drawn: list[Any] = []

    def render(env: Any) -> Any:
        assert env.render_mode == "rgb_array"
        drawn.append(env.data.qpos.copy())
        return np.full((4, 6, 3), len(drawn), np.uint8)

    monkeypatch.setattr(MujocoEnv, "render", render)
    return drawn
