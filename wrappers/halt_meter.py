"""`HaltMeter`: finds unknown (obs, action) pairs, for wrappers around any environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import torch
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.dynamics import DynamicsModel, UnknownDetector
from offline_envs.envs import Halts, is_learned, layers, model_of
from offline_envs.errors import SettingsError
from offline_envs.mdp import Members, row_chunks
from offline_envs.methods import Halt, halt_infos, halt_reward
from offline_envs.wrappers.fitted_data import fitted_data


@dataclass(frozen=True)
class HaltMeter:
    """Finds the pairs that a model does not know, and their reward.

    Attributes:
        method: The settings.
        members: The members that are compared.
        detector: What is unknown.
        reward: Reward of a halted step, or None if it keeps its own.
    """

    method: Halt
    members: Members
    detector: UnknownDetector
    reward: float | None

    @classmethod
    def for_env(
        cls,
        env: Any,
        obs_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        model: str | Path | DynamicsModel | None,
        dataset: DatasetSource | None,
        kappa: float | None,
        cache_dir: str | Path | None,
        **settings: Any,
    ) -> Self:
        """Check the settings, find the model and its dataset, and set the threshold.

        Args:
            env: The environment.
            obs_space: Observation space of one episode.
            action_space: Action space of one episode.
            model: See `model_of`.
            dataset: The dataset that the model was fitted to; None means a learned environment's own.
            kappa: κ; None means the default of `Halt` for a learned environment, and unchanged rewards for
                others and for truncations.
            cache_dir: Cache folder, see `cache_folder`.
            **settings: The other settings of `Halt`.

        Raises:
            SettingsError: Settings that `Halt` or `model_of` refuses, no dataset or one of other dimensions,
                an environment that halts already, or `absorbing` without a reward.
        """
        method = Halt(kappa=Halt.kappa if kappa is None else kappa, **settings)
        if method.truncates and kappa is not None:
            raise SettingsError(
                f"on_unknown='truncate' leaves rewards as they are, got kappa={kappa:g}. Leave it out."
            )
        replaces = not method.truncates and (kappa is not None or is_learned(env))
        if method.absorbing and not replaces:
            raise SettingsError("absorbing=True needs kappa= here: a guard leaves rewards as they are.")
        if any(isinstance(layer, Halts) and layer.halts for layer in layers(env)):
            raise SettingsError(
                "Episodes are halted already, and of two thresholds only the lower would have an effect. "
                "Halt a LearnedModel-v0 or PenalizedModel-v0 once."
            )
        found = model_of(env, obs_space, action_space, model)
        transitions = fitted_data(env, dataset, found, needed_by="A threshold")
        method.check(found)
        detector = method.detector(found, transitions, cache_dir=cache_dir, progress=True)
        lowest = float(transitions.rewards.min())
        reward = halt_reward(lowest, method.kappa, absorbing=method.absorbing, gamma=method.gamma)
        return cls(method, Members.of(found, method.members), detector, reward if replaces else None)

    @property
    def replaces_reward(self) -> bool:
        """Whether a halted step has another reward than its own."""
        return self.reward is not None

    def infos(self, halted: Tensor, disagreement: Tensor) -> dict[str, Tensor]:
        """The entries of `info` about halting, `(B,)` each."""
        return halt_infos(halted, disagreement, self.detector.threshold)

    def __call__(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Disagreement, float32 `(B,)`, and whether it is unknown, bool `(B,)`, on the model's device.

        Raises:
            SettingsError: Actions of another shape than `(B, k)`.
        """
        shape = (len(obs), self.members.model.action_dim)
        if action.shape != shape:
            raise SettingsError(f"actions must have shape {shape}, got {tuple(action.shape)}.")
        device = self.members.elites.device
        chunks = row_chunks(obs.to(device), action.to(device))
        found = [self.detector(self.members.predict(o, a)) for o, a in chunks]
        disagreement, unknown = zip(*found, strict=True)
        return torch.cat(disagreement), torch.cat(unknown)
