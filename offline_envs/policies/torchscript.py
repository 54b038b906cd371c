"""`TorchScriptPolicy`: a policy from a TorchScript file, e.g. one that d3rlpy's `save_policy` wrote."""

import warnings
from pathlib import Path
from typing import Any

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.policies.policy import TensorPolicy

TORCHSCRIPT_SUFFIX = ".pt"
"""End of the names of TorchScript files."""


class TorchScriptPolicy(TensorPolicy):
    """A scripted or traced function from observations `(n, d)` to actions `(n, k)`, on the CPU.

    Loading and calling it runs the program in the file: trust its author.

    Args:
        path: The file.
        obs_dim: Number of observation dimensions, d.
        action_space: The actions; what the function gives is clipped to them.
        seed: Seed of the function's random numbers, if it draws any (BCQ's policy does). They are its own:
            torch's global generator stays as it is.

    Raises:
        SettingsError: The file is missing, holds no such function, or one for other observations or actions.
    """

    def __init__(self, path: Path | str, obs_dim: int, action_space: Box, *, seed: int = 0) -> None:
        self._low, self._high = (torch.as_tensor(bound) for bound in (action_space.low, action_space.high))
        self._random = torch.Generator().manual_seed(seed)
        try:
            self._function = _loaded(path)
        except (RuntimeError, ValueError, OSError) as error:
            raise SettingsError(
                f"{path} cannot be loaded as a TorchScript policy: {str(error).splitlines()[0]}"
            ) from error
        self._check(path, obs_dim)

    def __call__(self, obs: Tensor, /) -> Tensor:
        """See `Policy`."""
        return torch.clamp(self._called(obs), self._low, self._high)

    def _called(self, obs: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.set_rng_state(self._random.get_state())
            actions: Tensor = self._function(obs)
            self._random.set_state(torch.get_rng_state())
        return actions

    def _check(self, path: Path | str, obs_dim: int) -> None:
        """Call the function once, with two rows, so that one that was traced for a single row is refused."""
        before = self._random.get_state()
        try:
            actions = self._called(torch.zeros(2, obs_dim))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise SettingsError(
                f"{path} must take observations of shape (2, {obs_dim}), but it raises: {reason}"
            ) from error
        self._random.set_state(before)
        expected = (2, *self._low.shape)
        if not isinstance(actions, Tensor) or actions.shape != expected:
            shape = tuple(actions.shape) if isinstance(actions, Tensor) else type(actions).__name__
            raise SettingsError(
                f"{path} must give actions of shape {expected} for two observations, got {shape}."
            )


def _loaded(path: Path | str) -> Any:
    with warnings.catch_warnings():
        # torch advises whoever writes such files to use another format, and still reads them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
