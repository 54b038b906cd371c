"""`StandardizedObs`: an agent's networks see observations in deviations of a dataset."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import Normalizer
from offline_envs.errors import SettingsError


class StandardizedObs(FlattenExtractor):
    """Features extractor of Stable-Baselines3 that shifts and scales observations, without anything to learn.

    Actor and critics of every agent look through it, so model, replay buffer, adversary and real environment
    keep the observations' own units, and a saved policy holds the numbers that it needs. RAMBO's release
    (Rigter et al. 2022) standardises its observations so, with the mean and deviation of 10 000 rows.

    Args:
        observation_space: Space of the observations, of d entries.
        mean: What is subtracted, `(d,)`.
        std: By what the difference is divided, `(d,)`.

    Raises:
        SettingsError: Another number of entries, or a deviation that is not positive.

    Example:
        >>> from stable_baselines3 import SAC
        >>> from offline_envs import load_transitions
        >>> data = load_transitions("offline-envs/inverteddoublependulum-replay-v0")
        >>> env = data.make_env()
        >>> agent = SAC("MlpPolicy", env, policy_kwargs=standardized_by(data), device="cpu", buffer_size=1)
        >>> features = agent.actor.features_extractor(data.obs)
        >>> [round(float(value), 3) + 0.0 for value in (features.mean(), features.std())]
        [0.0, 1.0]
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, observation_space: gym.Space[Any], mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(observation_space)
        if not len(mean) == len(std) == self.features_dim or not min(std) > 0:
            raise SettingsError(
                f"mean and std must hold {self.features_dim} numbers each, those of std positive; got {mean} "
                f"and {std}."
            )
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, observations: Tensor) -> Tensor:
        """Standardise observations, `(B, ...)` to `(B, d)`."""
        return (super().forward(observations) - self.mean) / self.std


def standardized_by(transitions: Transitions) -> dict[str, Any]:
    """Keywords for `policy_kwargs` of an agent, by which it sees observations in deviations of a dataset.

    Columns that are constant or vary by rounding only are shifted, and scaled less.

    Args:
        transitions: The dataset.
    """
    normalizer = Normalizer(transitions.obs_dim)
    normalizer.fit(transitions.obs)
    numbers = {"mean": normalizer.mean.tolist(), "std": normalizer.std.tolist()}
    return {"features_extractor_class": StandardizedObs, "features_extractor_kwargs": numbers}
