"""A user's dynamics model: linear, one member, no network and no base class of this package."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from offline_envs.dynamics import Prediction


class LinearModel:
    """(reward, Δobs) = (obs, action) W, with the same deviation everywhere."""

    n_members, n_elites, probabilistic = 1, 1, True

    def __init__(self, weight: Tensor, obs_dim: int, std: float = 0.1) -> None:
        self.weight, self.obs_dim, self.std = weight, obs_dim, std
        self.action_dim = len(weight) - obs_dim
        self.elites = torch.zeros(1, dtype=torch.int64, device=weight.device)

    @property
    def device(self) -> torch.device:
        return self.weight.device

    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        del members  # There is one.
        mean = (torch.cat([obs, action], dim=-1) @ self.weight)[None]
        return Prediction(mean, torch.full_like(mean, self.std))

    def to(self, device: torch.device | str) -> Self:
        self.weight, self.elites = self.weight.to(device), self.elites.to(device)
        return self

    def copy(self) -> Self:
        return type(self)(self.weight.clone(), self.obs_dim, self.std)

    def card(self) -> dict[str, Any]:
        return {"obs_dim": self.obs_dim, "std": self.std}

    def state_dict(self) -> Mapping[str, Tensor]:
        return {"weight": self.weight}

    @classmethod
    def from_card(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(tensors["weight"], card["obs_dim"], card["std"])
