"""`versions`: what a result was computed with."""

import platform
from importlib.metadata import version

PACKAGES = (
    "offline-envs",
    "gymnasium",
    "mujoco",
    "torch",
    "minari",
    "stable-baselines3",
    "sb3-contrib",
    "numpy",
)


def versions() -> dict[str, str]:
    """Version of Python and of every package that can change the numbers of a result, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
