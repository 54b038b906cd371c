"""`HistoryModel`: a model of the newest observation, as one of observations with a history."""

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import HistoryLayout, Transitions
from offline_envs.dynamics.model import DynamicsModel, PredictsOwn
from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.wrapped_model import WrappedModel


def model_rows(transitions: Transitions) -> Transitions:
    """The dataset as a model is fitted to it: the past counts as part of the action.

    A model then sees all of an observation with a history and predicts its newest part, which alone is not
    known beforehand. A dataset without a history is returned as it is.
    """
    if transitions.history == 1:
        return transitions
    layout, space = transitions.layout, transitions.action_space
    anything = np.full(layout.older_dim, np.inf, dtype=np.float32)
    return replace(
        transitions.newest,
        actions=torch.cat([transitions.actions, transitions.obs[:, layout.older]], dim=1),
        action_space=Box(np.concatenate([space.low, -anything]), np.concatenate([space.high, anything])),
    )


def model_dims(transitions: Transitions) -> tuple[int, int]:
    """Dimensions of observation and action in `model_rows`."""
    return _dims(transitions.layout)


def _dims(layout: HistoryLayout) -> tuple[int, int]:
    return layout.obs_dim, layout.action_dim + layout.older_dim


class HistoryModel(WrappedModel):
    """A model fitted to `model_rows`, for observations with a history.

    All members predict, without doubt, that older entries move by one step.

    Args:
        model: The fitted model, of d dimensions, whose action is followed by the past.
        layout: Where an observation holds what.

    Attributes:
        layout: Where an observation holds what.
    """

    def __init__(self, model: DynamicsModel, layout: HistoryLayout) -> None:
        super().__init__(model)
        self.layout = layout
        self.obs_dim, self.action_dim = layout.size, layout.action_dim

    @classmethod
    def fits(cls, model: DynamicsModel, layout: HistoryLayout) -> bool:
        """Whether a model has the dimensions of one that was fitted to `model_rows`."""
        return (model.obs_dim, model.action_dim) == _dims(layout)

    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        """See `DynamicsModel`."""
        return self._whole(self.model.predict(*self._split(obs, action), members), obs, action)

    def predict_own(self, obs: Tensor, action: Tensor, member: Tensor) -> Prediction:
        """See `PredictsOwn`."""
        if not isinstance(self.model, PredictsOwn):
            return self.predict(obs, action).own(member)
        return self._whole(self.model.predict_own(*self._split(obs, action), member), obs, action)

    def to(self, device: torch.device | str) -> Self:
        """See `DynamicsModel`."""
        return type(self)(self.model.to(device), self.layout)

    def copy(self) -> Self:
        """See `DynamicsModel`."""
        return type(self)(self.model.copy(), self.layout)

    def card(self) -> dict[str, Any]:
        """What identifies it in the cache, with its tensors."""
        return {"history": self.layout.history, "model": self.model.card()}

    def _split(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """The newest observation, and the action followed by the past."""
        return obs[:, self.layout.newest], torch.cat([action, obs[:, self.layout.older]], dim=1)

    def _whole(self, newest: Prediction, obs: Tensor, action: Tensor) -> Prediction:
        """Append to a prediction, `(..., B, 1 + d)`, how the older entries change."""
        older = self.layout.moved(obs, action) - obs[:, self.layout.older]
        older = older.expand(*newest.mean.shape[:-1], -1)
        mean = torch.cat([newest.mean, older], dim=-1)
        return Prediction(mean, torch.cat([newest.std, torch.zeros_like(older)], dim=-1))
