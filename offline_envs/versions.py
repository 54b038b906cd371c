"""`versions`: the package versions that a result was computed with."""

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
    """Return the version of Python and of every package that can change a result's numbers, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
