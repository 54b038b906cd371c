"""`ElitesFirst`: the members that a step evaluates, those that it draws from in front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics, Prediction
from offline_envs.errors import unknown_name

MEMBER_CHOICES = ("all", "elites")
"""Whose predictions a penalty may look at, by the names that `penalty_members` takes."""


@dataclass(frozen=True)
class ElitesFirst:
    """The elites of an ensemble and, where a penalty looks at all members, the others.

    Both are computed apart. How float32 numbers round depends on how many members are computed together;
    apart, the elites predict the same numbers to the last bit whether or not the others are asked too.

    Attributes:
        front: The elites.
        rest: The other members, or None if they are not needed.
    """

    front: EnsembleDynamics
    rest: EnsembleDynamics | None

    @classmethod
    def of(cls, ensemble: EnsembleDynamics, choice: str) -> Self:
        """Take the elites of `ensemble` or, if `choice` is `"all"`, every member.

        Raises:
            SettingsError: Another choice than `"all"` or `"elites"`.
        """
        if choice not in MEMBER_CHOICES:
            raise unknown_name("penalty_members", choice, MEMBER_CHOICES)
        elites = ensemble.elites.tolist()
        others = [i for i in range(ensemble.n_members) if i not in elites] if choice == "all" else []
        return cls(_members(ensemble, elites), _members(ensemble, others) if others else None)

    @property
    def elites(self) -> Tensor:
        """Index of the elites among the members that `predict` returns, int64 `(E,)`."""
        return self.front.elites

    @property
    def n_members(self) -> int:
        """Number of members that are evaluated."""
        return self.front.n_members + (0 if self.rest is None else self.rest.n_members)

    def predict(self, obs: Tensor, action: Tensor) -> Prediction:
        """Predict by every member that is needed, elites first; see `EnsembleDynamics.predict`."""
        elites = self.front.predict(obs, action)
        if self.rest is None:
            return elites
        others = self.rest.predict(obs, action)
        return Prediction(torch.cat([elites.mean, others.mean]), torch.cat([elites.std, others.std]))


def _members(ensemble: EnsembleDynamics, index: Sequence[int]) -> EnsembleDynamics:
    if list(index) == list(range(ensemble.n_members)):
        return ensemble
    return ensemble.members(torch.tensor(index, device=ensemble.elites.device))
