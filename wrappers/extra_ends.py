"""Extra ends of rows that a wrapper imposes on a vector environment, compatible with its autoreset mode."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from torch import Tensor

from offline_envs.envs import is_learned, without_reset_rows, zero_rows
from offline_envs.errors import SettingsError
from offline_envs.mdp import FINAL_OBS, FINAL_OBS_MASK, RESET_MASK
from offline_envs.wrappers.rows import host_rows, like, on_host

StepResult = tuple[Any, Any, Any, Any, dict[str, Any]]

Flags = tuple[Any, Any]
"""Terminations and truncations, `(n,)` each, arrays or tensors alike."""

EndRows = Callable[[Any, Any, Any], Flags]
"""How rows end: from terminations, truncations and the rows to the flags with them."""


def terminate(terminations: Any, truncations: Any, rows: Any) -> Flags:
    """Terminate the rows, bool `(n,)`."""
    return terminations | rows, truncations


def truncate(terminations: Any, truncations: Any, rows: Any) -> Flags:
    """Truncate the rows that do not terminate."""
    return terminations, truncations | (rows & ~terminations)


class ExtraEnds(Protocol):
    """Steps a vector environment and also ends some of its rows."""

    def step(self, actions: Any, ends: Tensor) -> StepResult:
        """Step the environment; the episodes of the rows in `ends`, bool `(n,)`, end with it."""

    def reset(self, options: dict[str, Any] | None) -> None:
        """Drop the pending restarts of the rows that a reset with `options` restarts."""


def extra_ends(env: VectorEnv[Any, Any, Any], *, truncates: bool) -> ExtraEnds:
    """Choose how rows of `env` are ended, by its kind and its autoreset mode.

    Args:
        env: The environment.
        truncates: Whether rows are truncated, not terminated.

    Raises:
        SettingsError: An environment that restarts its own finished rows, but not those that a wrapper
            ended.
    """
    mode = env.metadata.get("autoreset_mode")
    end = truncate if truncates else terminate
    if is_learned(env):
        return LearnedEnds(env, truncates=truncates)
    if mode == AutoresetMode.DISABLED:
        return Ends(env, end)
    if not isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv):
        raise SettingsError(
            f"A halted row has to be restarted by itself, with reset(options={{'reset_mask': ...}}), which "
            f"{type(env.unwrapped).__name__} is not known to honour. Wrap single environments before "
            "they are stacked, or use autoreset mode 'Disabled'."
        )
    return SameStepEnds(env, end) if mode == AutoresetMode.SAME_STEP else NextStepEnds(env, end)


class LearnedEnds:
    """Ends inside the learned environment, so that autoreset treats them like any other."""

    def __init__(self, env: VectorEnv[Any, Any, Any], *, truncates: bool) -> None:
        self._env = env
        learned: Any = env.unwrapped
        self._end = learned.truncate_at_next_step if truncates else learned.end_at_next_step

    def step(self, actions: Any, ends: Tensor) -> StepResult:
        """See `ExtraEnds`."""
        self._end(ends)
        return self._env.step(actions)

    def reset(self, options: dict[str, Any] | None) -> None:
        """See `ExtraEnds`."""


class Ends:
    """Ends whose rows the caller restarts."""

    def __init__(self, env: VectorEnv[Any, Any, Any], end: EndRows) -> None:
        self._env, self._ended = env, end

    def step(self, actions: Any, ends: Tensor) -> StepResult:
        """See `ExtraEnds`."""
        obs, rewards, terminations, truncations, infos = self._env.step(actions)
        flags = self._ended(terminations, truncations, like(ends, terminations))
        return obs, rewards, *flags, infos

    def reset(self, options: dict[str, Any] | None) -> None:
        """See `ExtraEnds`."""


class SameStepEnds(Ends):
    """Ends whose rows restart within the step, in addition to those that the environment restarts."""

    def step(self, actions: Any, ends: Tensor) -> StepResult:
        """See `ExtraEnds`."""
        obs, rewards, terminations, truncations, infos = self._env.step(actions)
        halted = like(ends, terminations)
        restart = on_host(halted & ~(terminations | truncations))
        if restart.any():
            last = host_rows(obs)  # the reset may write to returned arrays
            infos = {**infos, **_with_final_obs(infos, last, restart)}
            obs, _ = self._env.reset(options={RESET_MASK: restart})
        return obs, rewards, *self._ended(terminations, truncations, halted), infos


class NextStepEnds(Ends):
    """Ends whose rows restart at the following step.

    The environment does not know of them, so it steps them once more before they are reset; that step's
    results are discarded.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], end: EndRows) -> None:
        super().__init__(env, end)
        self._restart: Any = None

    def step(self, actions: Any, ends: Tensor) -> StepResult:
        """See `ExtraEnds`."""
        obs, rewards, terminations, truncations, infos = self._env.step(actions)
        if self._restart is not None and self._restart.any():
            restart = self._restart
            obs, _ = self._env.reset(options={RESET_MASK: restart.copy()})
            rewards, terminations, truncations = (
                zero_rows(value, restart) for value in (rewards, terminations, truncations)
            )
            infos = _without_rows(infos, restart)
        halted = like(ends, terminations)
        self._restart = on_host(halted & ~(terminations | truncations))
        return obs, rewards, *self._ended(terminations, truncations, halted), infos

    def reset(self, options: dict[str, Any] | None) -> None:
        """See `ExtraEnds`."""
        self._restart = without_reset_rows(self._restart, options)


def _without_rows(infos: dict[str, Any], rows: Any) -> dict[str, Any]:
    """Infos with zero, or False, in `rows`, bool `(n,)`, where they are a number a row."""
    return {
        name: zero_rows(value, rows) if _are_numbers(value, rows.shape) else value
        for name, value in infos.items()
    }


def _are_numbers(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether `value` is an array or tensor of numbers or flags of that shape."""
    if isinstance(value, np.ndarray):
        return value.shape == shape and value.dtype.kind in "biufc"
    return isinstance(value, Tensor) and value.shape == shape


def _with_final_obs(infos: dict[str, Any], last: list[Any], rows: Any) -> dict[str, Any]:
    """Gymnasium's entries of final observations, an array of objects and its mask, with `rows` added."""
    n = len(rows)
    final = np.array(infos.get(FINAL_OBS, np.full(n, None, dtype=object)), dtype=object)
    for row in np.flatnonzero(rows):
        final[row] = last[row]
    return {FINAL_OBS: final, FINAL_OBS_MASK: infos.get(FINAL_OBS_MASK, np.zeros(n, np.bool_)) | rows}
