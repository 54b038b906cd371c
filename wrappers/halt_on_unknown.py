"""`HaltOnUnknown`: MOReL's halt, on any environment that a model knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from gymnasium.utils import RecordConstructorArgs
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.dynamics import DynamicsModel
from offline_envs.mdp import PENALTY, RAW_REWARD
from offline_envs.methods import Halt
from offline_envs.settings import check_arguments
from offline_envs.wrappers.extra_ends import terminate, truncate
from offline_envs.wrappers.halt_meter import HaltMeter
from offline_envs.wrappers.rows import one_row


class HaltOnUnknown(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """End the episode where an ensemble's members disagree too much about (obs, action).

    Kidambi et al. 2020 (MOReL). On a learned environment the result is `PessimisticModel-v0`: the unknown
    step is terminated with the dataset's lowest reward minus κ. On any other environment, given a model
    and its dataset, it is a guard: the step that leaves the data is taken, and the episode ends with it;
    its reward stays as it is, unless `kappa` is given.

    With `on_unknown="truncate"` the episode is cut there instead, and rewards stay as they are: an agent
    bootstraps, without pessimism (NEUBAY, arXiv 2512.04341).

    With `UncertaintyPenalty` the order makes no difference: a halted step carries no penalty.

    A vector version exists: `offline_envs.wrappers.vector.HaltOnUnknown`.

    Args:
        env: The environment, with flat Box observations and actions.
        threshold: One rule with its value, `{"mean_std": β}`, `{"quantile": q}` or `{"max_over": c}`, see
            `Halt`; None means mean + 10·std.
        units: Units of the disagreement, `"std"` or `"raw"`.
        halt_members: Members that are compared, `"all"` or `"elites"`.
        kappa: κ; None means 100 for a learned environment, and unchanged rewards for others.
        absorbing: Whether a halt yields its reward for ever, as one discounted sum, see `halt_reward`.
        gamma: The agent's discount, used if `absorbing`.
        on_unknown: `"halt"`, or `"truncate"` with unchanged rewards.
        disagreement: How far members are apart, `"max_distance"` or `"std"`, see `Halt`.
        model: Folder of a fitted ensemble, or the ensemble; a learned environment brings its own.
        dataset: The dataset that the model was fitted to; a learned environment brings its own.
        cache_dir: Folder of fitted models instead of the user's cache.

    Attributes:
        halted: Whether the last pair was unknown, bool `(1,)`.
        halt_counter: Number of steps, episodes and halts so far.

    Raises:
        SettingsError: A setting that is not valid, no model or dataset, or a second halt.

    Example:
        >>> import gymnasium as gym, offline_envs
        >>> from offline_envs.wrappers import HaltOnUnknown
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> env = gym.make("LearnedModel-v0", dataset=demo, fit={"max_epochs": 1}, progress=False)
        >>> env = HaltOnUnknown(env, {"quantile": 0.99})
        >>> obs, info = env.reset(seed=0)
        >>> obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        >>> info["halted"] == (info["disagreement"] > info["threshold"])
        True
    """

    halts = True

    @check_arguments
    def __init__(
        self,
        env: gym.Env[Any, Any],
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
    ) -> None:
        settings: dict[str, Any] = {
            "threshold": threshold,
            "units": units,
            "halt_members": halt_members,
            "kappa": kappa,
            "absorbing": absorbing,
            "gamma": gamma,
            "on_unknown": on_unknown,
            "disagreement": disagreement,
            "model": model,
            "dataset": dataset,
            "cache_dir": cache_dir,
        }
        RecordConstructorArgs.__init__(self, **settings)
        gym.Wrapper.__init__(self, env)
        self._meter = HaltMeter.for_env(env, env.observation_space, env.action_space, **settings)
        self._end = truncate if self._meter.method.truncates else terminate
        self.halted = torch.zeros(1, dtype=torch.bool)
        self.halt_counter = self._meter.method.monitor(1, self.halted.device)
        self._obs: Tensor | None = None

    @property
    def reward_replaced(self) -> Tensor:
        """Rows whose last reward was that of a halt, bool `(1,)`."""
        return self.halted & self._meter.replaces_reward

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and remember its first observation."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._obs = one_row(obs, self.env.observation_space)
        self.halted = torch.zeros(1, dtype=torch.bool)
        self.halt_counter.reset()
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the environment, and end the episode if the pair was unknown."""
        before, action_row = self._obs, one_row(action, self.env.action_space)
        obs, reward, terminated, truncated, info = self.env.step(action)
        if before is None:
            raise gym.error.ResetNeeded("Call reset() of the wrapper before step().")
        disagreement, unknown = (found.cpu() for found in self._meter(before, action_row))
        self._obs, self.halted = one_row(obs, self.env.observation_space), unknown
        flags = self._end(torch.tensor([bool(terminated)]), torch.tensor([bool(truncated)]), unknown)
        terminated, truncated = (bool(flag) for flag in flags)
        self.halt_counter.step(unknown, torch.tensor([terminated or truncated]))
        entries = self._meter.infos(unknown, disagreement)
        info = {**info, RAW_REWARD: info.get(RAW_REWARD, float(reward))}
        info |= {name: value.item() for name, value in entries.items()}
        if self._meter.reward is not None and bool(unknown):
            reward = self._meter.reward
            info |= {PENALTY: 0.0} if PENALTY in info else {}
        return obs, float(reward), terminated, truncated, info
