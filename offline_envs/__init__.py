"""Gymnasium environments learned from a fixed dataset.

Importing the package registers its environments and those that the project declares, and does nothing else;
torch is imported when the first environment is made.
"""

from importlib.util import find_spec
from typing import Any

from offline_envs.declared import register_declared
from offline_envs.registration import ENV_IDS, register, register_all, register_method, register_task

__version__ = "0.1.0"

__all__ = [
    "ENV_IDS",
    "Transitions",
    "__version__",
    "load_transitions",
    "register",
    "register_method",
    "register_task",
]

if find_spec("offline_envs.wrappers") is None:
    # The source folder shadows an installed package where Python is started in the repository's root.
    raise ImportError(
        "offline_envs.wrappers is missing: this is the source folder, not an installation. "
        "Run `pip install -e .` in it, or start Python from another folder."
    )

register_all()
register_declared()


def __getattr__(name: str) -> Any:
    """Import the data types when they are first asked for: they need torch."""
    if name in ("Transitions", "load_transitions"):
        import offline_envs.data as data

        return getattr(data, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
