"""`SB3VecEnv`: any Gymnasium vector environment as a Stable-Baselines3 `VecEnv`."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from offline_envs.envs import as_same_step, layers, learned_under
from offline_envs.errors import SettingsError
from offline_envs.sb3.vec_env.host_copy import host_obs, host_step, last_obs_of_ended
from offline_envs.sb3.vec_env.infos import VectorInfos, info_of_row
from offline_envs.sb3.vec_env.sub_envs import HasRemoteSubEnvs, HasSubEnvs
from offline_envs.settings import check_arguments

ARRAY_SPACES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
"""Observation spaces whose batches are one array."""


class SB3VecEnv(VecEnv):
    """A Gymnasium vector environment with SB3's interface, cheap for thousands of rows.

    * `terminal_observation`, `TimeLimit.truncated` (truncated and not terminated) and the `episode`
      statistics that `rollout/ep_rew_mean` is made of are in the infos of ended rows; no `VecMonitor` needed.
    * The infos are a `VectorInfos`: rows whose episode continues **share one dict**.
    * Environments that return tensors are copied to the host once a step.
    * `reset_infos` describe the last `reset` call, not the automatic resets after it.

    SB3's `log_interval` counts finished episodes (default 4): with thousands of short rollouts it would write
    logs hundreds of times a step. Pass `learn(..., log_interval=None)` and let `RealEvalCallback` write
    them, or a large number.

    Args:
        env: Vector environment with `autoreset_mode=SAME_STEP` and observations that are one array, or a Dict
            of arrays; or a learned one straight from `gym.make_vec`, in any mode, whose rows are then
            restarted within the step.

    Raises:
        SettingsError: Another autoreset mode, or a Tuple or nested observation space.

    Example:
        >>> from gymnasium.vector import AutoresetMode, SyncVectorEnv
        >>> envs = SyncVectorEnv(
        ...     [lambda: gym.make("Pendulum-v1")] * 2, autoreset_mode=AutoresetMode.SAME_STEP
        ... )
        >>> SB3VecEnv(envs).reset().shape
        (2, 3)
    """

    @check_arguments
    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        env = as_same_step(env)
        check_same_step(env)
        space = env.single_observation_space
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
        if not all(isinstance(part, ARRAY_SPACES) for part in parts):
            raise SettingsError(
                f"SB3VecEnv needs observations of one array, or a Dict of arrays, got {space}. "
                "Wrap each single environment in gymnasium.wrappers.FlattenObservation."
            )
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._obs_dtype: Any = (
            {name: part.dtype for name, part in space.spaces.items()}
            if isinstance(space, spaces.Dict)
            else space.dtype
        )
        self._device: torch.device | None = None
        self._actions: Any = None
        self._started = time.perf_counter()
        self._clear_statistics()

    def reset(self) -> Any:
        """Reset all rows with the seeds and options given since the last reset.

        Returns:
            First observations, `(n, *obs_shape)`, of a Dict several by name.

        Raises:
            SettingsError: Options that differ between rows: a vector environment takes one dict.
        """
        # Gymnasium's own vector environments also take a list of seeds; the base class says int only.
        obs, arrays = self.env.reset(seed=self._next_seed(), options=self._next_options())  # type: ignore[arg-type]
        self._reset_seeds()
        self._reset_options()
        first = next(iter(obs.values())) if isinstance(obs, Mapping) else obs
        self._device = first.device if isinstance(first, torch.Tensor) else None
        self.reset_infos = [info_of_row(arrays, row) if arrays else {} for row in range(self.num_envs)]
        self._clear_statistics()
        return host_obs(obs, self._obs_dtype)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`, in the environment's own units, `(n, *action_shape)`."""
        self._actions = actions if self._device is None else torch.as_tensor(actions, device=self._device)

    def step_wait(
        self,
    ) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step all rows.

        Returns:
            Observations `(n, *obs_shape)` (of the next episode where one ended), rewards float32 `(n,)`, ends
            of episodes bool `(n,)`, and a `VectorInfos`.
        """
        result = self.env.step(self._actions)
        step = host_step(result, self._obs_dtype)
        dones = step.terminated | step.truncated
        self._returns += step.rewards
        self._lengths += 1
        truncated = step.truncated & ~step.terminated
        infos = VectorInfos(dones, truncated, last_obs_of_ended(step, dones), result[-1])
        infos.add_ended(self._returns, self._lengths, round(time.perf_counter() - self._started, 6))
        self._returns[dones] = 0.0
        self._lengths[dones] = 0
        return step.obs, step.rewards, dones, infos

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Episodes in progress, random numbers and statistics of a learned environment, by name.

        Raises:
            SettingsError: Another environment than a learned one.
        """
        statistics = {"returns": torch.tensor(self._returns), "lengths": torch.tensor(self._lengths)}
        return {**learned_under(self.env).state_dict(), **statistics}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Continue from what `state_dict` gave, without a reset.

        Raises:
            SettingsError: Another environment than a learned one, or state of another one.
        """
        learned = learned_under(self.env)
        learned.load_state_dict(state)
        self._device = learned.device if learned.output == "torch" else None
        self._returns, self._lengths = state["returns"].numpy().copy(), state["lengths"].numpy().copy()

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Read an attribute of each sub-environment, or of the vector environment where there are none.

        Layers of wrappers are looked through from the outermost.

        Raises:
            AttributeError: There is none of that name.
        """
        rows = list(self._get_indices(indices))
        envs, innermost = self._sub_envs(), self.env.unwrapped
        if envs is not None and all(envs[row].has_wrapper_attr(attr_name) for row in rows):
            return [envs[row].get_wrapper_attr(attr_name) for row in rows]
        if envs is None and isinstance(innermost, HasRemoteSubEnvs):
            values = innermost.get_attr(attr_name)
            return [values[row] for row in rows]
        return [getattr(_layer_with(self.env, attr_name), attr_name)] * len(rows)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of each sub-environment, or of the vector environment where there are none.

        Raises:
            SettingsError: Some rows only, of an environment that has no separate sub-environments; or an
                attribute of it that it does not have or that cannot be set, such as the model of a learned
                environment: a new one would have no effect.
        """
        envs, innermost = self._sub_envs(), self.env.unwrapped
        if envs is not None:
            for row in self._get_indices(indices):
                envs[row].set_wrapper_attr(attr_name, value)
            return
        self._check_all_rows("set_attr", indices)
        if isinstance(innermost, HasRemoteSubEnvs):
            innermost.set_attr(attr_name, [value] * self.num_envs)
            return
        if not self.has_attr(attr_name):
            raise SettingsError(f"{innermost} has no attribute {attr_name!r} to set.")
        layer = _layer_with(self.env, attr_name)
        try:
            setattr(layer, attr_name, value)
        except AttributeError as error:
            raise SettingsError(f"{attr_name} of {type(layer).__name__} cannot be set: {error}.") from error

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each sub-environment, or once that of the vector environment where there are none.

        Raises:
            SettingsError: Some rows only, of an environment that has no separate sub-environments.
        """
        envs, innermost = self._sub_envs(), self.env.unwrapped
        if envs is not None:
            methods: list[Callable[..., Any]] = self.get_attr(method_name, indices)
            return [method(*method_args, **method_kwargs) for method in methods]
        self._check_all_rows("env_method", indices)
        if isinstance(innermost, HasRemoteSubEnvs):
            return list(innermost.call(method_name, *method_args, **method_kwargs))
        method = getattr(_layer_with(self.env, method_name), method_name)
        return [method(*method_args, **method_kwargs)] * self.num_envs

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Whether each row is wrapped in `wrapper_class`.

        True for SB3's `Monitor`: SB3 asks in order to know whether infos carry `episode`, and these do.
        """
        rows = list(self._get_indices(indices))
        envs = self._sub_envs()
        if issubclass(wrapper_class, Monitor):
            return [True] * len(rows)
        return [envs is not None and is_wrapped(envs[row], wrapper_class) for row in rows]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Render every row, uint8 `(height, width, 3)` each."""
        frames: Any = self.env.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def _clear_statistics(self) -> None:
        self._returns = np.zeros(self.num_envs, dtype=np.float64)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)

    def _next_seed(self) -> int | list[int | None] | None:
        first = self._seeds[0]
        if first is None and not any(seed is not None for seed in self._seeds):
            return None
        # Every vector environment takes an integer; Gymnasium's own count up from it in the same way.
        if first is not None and self._seeds == [first + row for row in range(self.num_envs)]:
            return int(first)
        return self._seeds

    def _next_options(self) -> dict[str, Any] | None:
        first = self._options[0]
        if all(not options for options in self._options):
            return None
        if any(options is not first for options in self._options):
            raise SettingsError(
                "A vector environment takes one options dict for all rows, got a list of different ones. "
                "Use set_options({...}); arrays in it have one entry a row."
            )
        return first

    def _sub_envs(self) -> Sequence[gym.Env[Any, Any]] | None:
        env = self.env.unwrapped
        return env.envs if isinstance(env, HasSubEnvs) else None

    def _check_all_rows(self, method: str, indices: VecEnvIndices) -> None:
        rows = sorted(set(self._get_indices(indices)))
        if rows != list(range(self.num_envs)):
            raise SettingsError(
                f"{method} on rows {rows}: the {self.num_envs} rows of {self.env} are one object. "
                "Use indices=None."
            )


def check_same_step(env: VectorEnv[Any, Any, Any]) -> None:
    """Refuse a vector environment whose ended rows are not reset within the same step.

    Raises:
        SettingsError: `env.metadata["autoreset_mode"]` is not SAME_STEP.
    """
    mode = (env.metadata or {}).get("autoreset_mode")
    if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.SAME_STEP.value):
        raise SettingsError(
            f"SB3VecEnv needs autoreset_mode=SAME_STEP, as SB3's own environments behave, got {mode}. Pass "
            "autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP to the environment, also if a wrapper "
            "comes in between, or vector_kwargs={'autoreset_mode': ...} to gym.make_vec with "
            "vectorization_mode='sync' or 'async'."
        )


def _layer_with(env: VectorEnv[Any, Any, Any], attr_name: str) -> Any:
    """The outermost layer of an environment that has an attribute, or the innermost layer."""
    return next((layer for layer in layers(env) if hasattr(layer, attr_name)), env.unwrapped)
