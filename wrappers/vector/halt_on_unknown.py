"""`HaltOnUnknown` for vector environments."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs import without_reset_rows, zero_rows
from offline_envs.mdp import PENALTY, RAW_REWARD, RESET_MASK
from offline_envs.methods import TRUNCATE, Halt
from offline_envs.settings import check_arguments
from offline_envs.wrappers.extra_ends import extra_ends
from offline_envs.wrappers.halt_meter import HaltMeter
from offline_envs.wrappers.rows import like, many_rows
from offline_envs.wrappers.vector.reported import check_reported


class HaltOnUnknown(VectorWrapper):
    """End the rows where members disagree too much; see `offline_envs.wrappers.HaltOnUnknown`.

    Works in every autoreset mode and with arrays or tensors: a halted row restarts within the step, at the
    next one, or when the caller resets it. Rows that restart at this step (next-step mode) are not judged.
    Around Gymnasium's own vector environments `infos["final_info"]` covers rows that the environment ended
    itself, not halted ones.

    Args:
        env: The vector environment, with flat Box observations and actions.
        threshold: One rule with its value; None means mean + 10·std.
        units: Units of the disagreement, `"std"` or `"raw"`.
        halt_members: Members that are compared, `"all"` or `"elites"`.
        kappa: κ; None means 100 for a learned environment, and unchanged rewards for others.
        absorbing: Whether a halt yields its reward for ever, as one discounted sum.
        gamma: The agent's discount, used if `absorbing`.
        on_unknown: `"halt"`, or `"truncate"` with unchanged rewards.
        disagreement: How far members are apart, `"max_distance"` or `"std"`, see `Halt`.
        model: Folder of a fitted ensemble, or the ensemble; a learned environment brings its own.
        dataset: The dataset that the model was fitted to; a learned environment brings its own.
        cache_dir: Folder of fitted models instead of the user's cache.
        step_infos: Whether `infos` has `raw_reward`, `halted`, `disagreement` and `threshold`, `(n,)` each.

    Attributes:
        step_infos: See above.
        halted: Rows whose last pair was unknown, bool `(n,)`, on the model's device.
        halt_counter: Number of steps, episodes and halts so far.

    Raises:
        SettingsError: A setting that is not valid, no model or dataset, a second halt, an environment that
            cannot restart single rows, or `step_infos` around one that changes rewards and has none.
    """

    halts = True

    @check_arguments
    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        threshold: Mapping[str, float] | None = None,
        *,
        units: str = Halt.units,
        halt_members: str = Halt.halt_members,
        kappa: float | None = None,
        absorbing: bool = Halt.absorbing,
        gamma: float = Halt.gamma,
        on_unknown: str = Halt.on_unknown,
        disagreement: str = Halt.disagreement,
        model: str | Path | DynamicsModel | None = None,
        dataset: DatasetSource | None = None,
        cache_dir: str | Path | None = None,
        step_infos: bool = False,
    ) -> None:
        super().__init__(env)
        if step_infos:
            check_reported(env)
        self._ends = extra_ends(env, truncates=on_unknown == TRUNCATE)
        self._meter = HaltMeter.for_env(
            env,
            env.single_observation_space,
            env.single_action_space,
            model=model,
            dataset=dataset,
            kappa=kappa,
            cache_dir=cache_dir,
            threshold=threshold,
            units=units,
            halt_members=halt_members,
            absorbing=absorbing,
            gamma=gamma,
            on_unknown=on_unknown,
            disagreement=disagreement,
        )
        self._device = self._meter.members.elites.device
        self.step_infos = step_infos
        self.halt_counter = self._meter.method.monitor(env.num_envs, self._device)
        self.halted = torch.zeros(env.num_envs, dtype=torch.bool, device=self._device)
        self._obs: Tensor | None = None
        self._over: Any = None

    @property
    def autoreset_mode(self) -> Any:
        """The autoreset mode of the environment, which TorchRL reads as an attribute."""
        return self.env.metadata.get("autoreset_mode")

    @property
    def reward_replaced(self) -> Tensor:
        """Rows whose last reward was that of a halt, bool `(n,)`."""
        return self.halted & self._meter.replaces_reward

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and remember its first observations."""
        given = None if options is None else dict(options)  # Gymnasium's own environments remove the mask
        obs, infos = self.env.reset(seed=seed, options=given)
        self._obs, self._over = (
            many_rows(obs, self.env.single_observation_space),
            without_reset_rows(self._over, options),
        )
        self._ends.reset(options)
        mask = (options or {}).get(RESET_MASK)
        self.halt_counter.reset(None if mask is None else torch.as_tensor(mask, device=self._device))
        return obs, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the environment, and end the rows whose pair was unknown."""
        if self._obs is None:
            raise ResetNeeded("Call reset() of the wrapper before step().")
        restarting = self._restarting()
        disagreement, unknown = self._meter(self._obs, many_rows(actions, self.env.single_action_space))
        disagreement, unknown = disagreement.masked_fill(restarting, 0.0), unknown & ~restarting
        obs, rewards, terminations, truncations, infos = self._ends.step(actions, unknown)
        self._obs, self._over, self.halted = (
            many_rows(obs, self.env.single_observation_space),
            terminations | truncations,
            unknown,
        )
        self._count(restarting)
        halted = like(unknown, rewards)
        if self.step_infos:
            entries = self._meter.infos(unknown, disagreement)
            entries = {k: zero_rows(like(v, rewards), like(restarting, rewards)) for k, v in entries.items()}
            infos = {**infos, RAW_REWARD: infos.get(RAW_REWARD, rewards), **entries}
        if self._meter.reward is not None:
            rewards = _fill(rewards, halted, self._meter.reward)
            infos = {**infos, PENALTY: zero_rows(infos[PENALTY], halted)} if PENALTY in infos else infos
        return obs, rewards, terminations, truncations, infos

    def _rows(self, obs: Any) -> Tensor:
        return many_rows(obs, self.env.single_observation_space)

    def _restarting(self) -> Tensor:
        """Rows that restart at the coming step, bool `(n,)`, on the model's device."""
        if self._over is None or self.autoreset_mode != AutoresetMode.NEXT_STEP:
            return torch.zeros_like(self.halted)
        return torch.as_tensor(self._over, device=self._device)

    def _count(self, restarting: Tensor) -> None:
        over = torch.as_tensor(self._over, device=self._device)
        self.halt_counter.step(self.halted, over)
        if self.autoreset_mode != AutoresetMode.DISABLED:
            self.halt_counter.reset(over if self.autoreset_mode == AutoresetMode.SAME_STEP else restarting)


def _fill(values: Any, rows: Any, number: float) -> Any:
    """`values` with `number` in `rows`, of the same type."""
    if isinstance(values, Tensor):
        return values.masked_fill(rows, number)
    return np.where(rows, values.dtype.type(number), values)
