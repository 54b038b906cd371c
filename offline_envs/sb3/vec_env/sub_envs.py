"""Protocols of environments that consist of several single ones."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym


@runtime_checkable
class HasSubEnvs(Protocol):
    """A vector environment whose sub-environments are in this process, as in `SyncVectorEnv`."""

    envs: Sequence[gym.Env[Any, Any]]


@runtime_checkable
class HasRemoteSubEnvs(Protocol):
    """A vector environment whose sub-environments may be in other processes, as in `AsyncVectorEnv`."""

    def get_attr(self, name: str) -> Sequence[Any]:
        """Read an attribute of every sub-environment."""

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every sub-environment, to one value each."""

    def call(self, name: str, *args: Any, **kwargs: Any) -> Sequence[Any]:
        """Call a method of every sub-environment."""
