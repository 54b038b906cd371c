"""`Autoreset`: the modes in which a vector environment restarts its finished rows."""

from typing import Any

import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from offline_envs.envs.readers import warn_of_reader
from offline_envs.errors import unknown_name
from offline_envs.mdp import FINAL_OBS, FINAL_OBS_MASK, RESET_MASK


class _Mode(VectorWrapper):
    """A learned vector environment that announces its autoreset mode, as metadata and as an attribute.

    Rows that it has to restart later are the environment's `finished`, and saved with its state.
    """

    mode: AutoresetMode
    env: Any  # a `LearnedVectorEnv`, whose module imports this one

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.metadata = {**env.metadata, "autoreset_mode": self.mode}
        self.autoreset_mode = self.mode  # TorchRL reads the attribute
        self._reader_is_known = False

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every row, and restart finished ones as the mode says."""
        if not self._reader_is_known:
            warn_of_reader(self.mode)
            self._reader_is_known = True
        return self._step(actions)

    def _step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        raise NotImplementedError


class SameStep(_Mode):
    """Finished rows restart within the step that finished them.

    `step` returns the first observation of the next episode; the true successor of every row is in
    `infos["final_obs"]`, dense `(n, d)`, and the finished rows in `infos["_final_obs"]`, `(n,)`.
    """

    mode = AutoresetMode.SAME_STEP

    def _step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        if self.env.finished is not None:
            raise ResetNeeded(
                "These episodes were last stepped in another autoreset mode, which leaves ended ones for "
                'later. Call reset(), or load a state that was saved with "SameStep".'
            )
        next_obs, rewards, terminations, truncations, infos = self.env.step(actions)
        done = terminations | truncations
        # Also when no row is done: a GPU would have to be waited for, and both outputs draw the same numbers.
        obs, _ = self.env.reset(options={RESET_MASK: done})
        return obs, rewards, terminations, truncations, {**infos, FINAL_OBS: next_obs, FINAL_OBS_MASK: done}


class NextStep(_Mode):
    """Finished rows restart at the following step, which ignores their action.

    That step returns their first observation, reward 0 and both flags false; an agent has to drop it.
    """

    mode = AutoresetMode.NEXT_STEP

    def _step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        restart = self.env.finished
        if restart is not None:
            self.env.finished = None
            obs, _ = self.env.reset(options={RESET_MASK: restart})
            rewards, terminations, truncations = (
                zero_rows(value, restart) for value in (rewards, terminations, truncations)
            )
            infos = {name: zero_rows(value, restart) for name, value in infos.items()}
        self.env.finished = terminations | truncations
        return obs, rewards, terminations, truncations, infos


class Disabled(_Mode):
    """Nothing restarts by itself; stepping a finished row is a `ResetNeeded` error (not checked on a GPU)."""

    mode = AutoresetMode.DISABLED

    def _step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        finished = self.env.finished
        if finished is not None and not _on_gpu(finished) and finished.any():
            raise ResetNeeded(
                f"{int(finished.sum())} of {self.num_envs} episodes are over. Restart them with "
                'reset(options={"reset_mask": terminations | truncations}) before the next step.'
            )
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        self.env.finished = terminations | truncations
        return obs, rewards, terminations, truncations, infos


MODES: dict[AutoresetMode, type[_Mode]] = {mode.mode: mode for mode in (SameStep, NextStep, Disabled)}


def with_autoreset(env: VectorEnv[Any, Any, Any], mode: AutoresetMode | str) -> VectorEnv[Any, Any, Any]:
    """Give `env`, which resets rows by mask, an autoreset mode.

    Args:
        env: The environment.
        mode: A `gymnasium.vector.AutoresetMode` or its value: `"SameStep"`, `"NextStep"`, `"Disabled"`.

    Raises:
        SettingsError: Another mode.
    """
    return MODES[find_autoreset_mode(mode)](env)


def find_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """The autoreset mode of that name.

    Args:
        mode: See `with_autoreset`.

    Raises:
        SettingsError: Another mode.
    """
    try:
        return AutoresetMode(mode)
    except ValueError:
        raise unknown_name("autoreset_mode", mode, [m.value for m in AutoresetMode]) from None


def as_same_step(env: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
    """An environment of `gym.make_vec` with same-step autoreset in place of its own mode.

    Any other, one inside a wrapper included, is returned as it is.
    """
    return SameStep(env.env) if isinstance(env, _Mode) and not isinstance(env, SameStep) else env


def without_reset_rows(rows: Any, options: dict[str, Any] | None) -> Any:
    """The rows of a mask that `reset(options=options)` leaves alone; None if that restarts every row.

    Args:
        rows: Bool `(n,)`, array or tensor, or None for no row.
        options: Options of a reset, perhaps with a mask, array or tensor.
    """
    mask = (options or {}).get(RESET_MASK)
    if mask is None or rows is None:
        return None
    if isinstance(rows, torch.Tensor):
        return rows & ~torch.as_tensor(mask, device=rows.device)
    return rows & ~np.asarray(mask.cpu() if isinstance(mask, torch.Tensor) else mask)


def zero_rows(values: Any, rows: Any) -> Any:
    """`values` with zero, or False, in `rows`, as a fresh array or tensor `(n,)` of the same type."""
    if isinstance(values, torch.Tensor):
        return values.masked_fill(torch.as_tensor(rows, device=values.device), 0)
    return np.where(rows, np.zeros_like(values), values)


def _on_gpu(values: Any) -> bool:
    return isinstance(values, torch.Tensor) and values.device.type != "cpu"
