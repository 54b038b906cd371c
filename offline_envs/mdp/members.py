"""`Members`: the members of a model that a step evaluates, and the elites among them."""

from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor

from offline_envs.dynamics import DynamicsModel, Prediction, Predictor, PredictsOwn, check_members, float32
from offline_envs.kernels import is_traced


@dataclass(frozen=True)
class Members:
    """The members of a model that a step evaluates: its elites or, where a method needs them, all.

    It reads the model's own weights, so changes to them take effect immediately.

    Attributes:
        model: The model.
        index: The members that are evaluated, int64 `(M,)`, or None for all.
        elites: Positions of the elites among them, int64 `(E,)`.
        predictor: Their prediction at the chosen precision, see `PRECISIONS`.
    """

    model: DynamicsModel
    index: Tensor | None
    elites: Tensor
    predictor: Predictor = float32

    @classmethod
    def of(cls, model: DynamicsModel, choice: str, predictor: Predictor = float32) -> Self:
        """Take the elites of `model` or, if `choice` is `"all"`, every member.

        Raises:
            SettingsError: Another choice than `"all"` or `"elites"`.
        """
        check_members("members", choice)
        if choice == "all":
            return cls(model, None, model.elites, predictor)
        places = torch.arange(len(model.elites), device=model.device)
        return cls(model, model.elites, places, predictor)

    @property
    def n_members(self) -> int:
        """Number of members that are evaluated."""
        return self.model.n_members if self.index is None else len(self.index)

    @property
    def asks_own(self) -> bool:
        """Whether `predict_own` evaluates only each row's own member.

        On a GPU the host would have to wait to learn which one it is, a graph cannot hold sizes of groups,
        other precisions compute all members together, and not every kind of model can.
        """
        return (
            not is_traced()
            and self.elites.device.type == "cpu"
            and self.predictor is float32
            and isinstance(self.model, PredictsOwn)
        )

    def predict(self, obs: Tensor, action: Tensor) -> Prediction:
        """Predict by every member that is evaluated; see `DynamicsModel.predict`."""
        return self.predictor(self.model, obs, action, self.index)

    def predict_own(self, obs: Tensor, action: Tensor, member: Tensor) -> Prediction:
        """Predict each row by the member at position `member`, int64 `(B,)`: `(B, 1 + d)`."""
        if not self.asks_own:
            return self.predict(obs, action).own(member)
        index = member if self.index is None else self.index[member]
        return cast(PredictsOwn, self.model).predict_own(obs, action, index)
