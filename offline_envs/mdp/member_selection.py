"""`EvaluatedMembers`: which members of an ensemble a step asks, and which of those it draws from."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics, Prediction
from offline_envs.dynamics.ensemble.precision import Predictor, float32
from offline_envs.dynamics.uncertainty.disagreement import MEMBER_CHOICES
from offline_envs.errors import unknown_name


@dataclass(frozen=True)
class EvaluatedMembers:
    """The members of an ensemble that a step evaluates: its elites or, where a penalty asks, all of them.

    It reads the ensemble's own weights, so it follows whoever changes them.

    Attributes:
        ensemble: The ensemble.
        index: The members that are evaluated, int64 `(M,)`, or None for all.
        elites: Where the elites stand among them, int64 `(E,)`.
        predictor: How precisely they predict, see `PRECISIONS`.
    """

    ensemble: EnsembleDynamics
    index: Tensor | None
    elites: Tensor
    predictor: Predictor = float32

    @classmethod
    def of(cls, ensemble: EnsembleDynamics, choice: str, predictor: Predictor = float32) -> Self:
        """Take the elites of `ensemble` or, if `choice` is `"all"`, every member.

        Raises:
            SettingsError: Another choice than `"all"` or `"elites"`.
        """
        if choice not in MEMBER_CHOICES:
            raise unknown_name("penalty_members", choice, MEMBER_CHOICES)
        if choice == "all":
            return cls(ensemble, None, ensemble.elites, predictor)
        places = torch.arange(len(ensemble.elites), device=ensemble.elites.device)
        return cls(ensemble, ensemble.elites, places, predictor)

    @property
    def n_members(self) -> int:
        """Number of members that are evaluated."""
        return self.ensemble.n_members if self.index is None else len(self.index)

    @property
    def asks_own(self) -> bool:
        """Whether `predict_own` asks each row's own member alone.

        A GPU would have to be waited for until the host knows which, and other precisions ask all at once.
        """
        return self.elites.device.type == "cpu" and self.predictor is float32

    def predict(self, obs: Tensor, action: Tensor) -> Prediction:
        """Predict by every member that is evaluated; see `EnsembleDynamics.predict`."""
        return self.predictor(self.ensemble, obs, action, self.index)

    def predict_own(self, obs: Tensor, action: Tensor, member: Tensor) -> Prediction:
        """Predict each row by its own one of them, at place `member`, int64 `(B,)`: `(B, 1 + d)`."""
        if not self.asks_own:
            return self.predict(obs, action).own(member)
        index = member if self.index is None else self.index[member]
        return self.ensemble.predict_own(obs, action, index)
