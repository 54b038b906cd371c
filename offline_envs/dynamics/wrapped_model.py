"""`WrappedModel`: base of models that an environment puts around a fitted one."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from offline_envs.dynamics.model import DynamicsModel, has_saved_form
from offline_envs.errors import SettingsError


class WrappedModel:
    """What such a model takes from the one in it: members, tensors and device. It is not saved.

    A subclass predicts, and is a `DynamicsModel`.

    Args:
        model: The model in it.

    Attributes:
        model: The model in it.
        has_saved_form: Whether the model in it has one.
    """

    def __init__(self, model: DynamicsModel) -> None:
        self.model = model
        self.obs_dim, self.action_dim = model.obs_dim, model.action_dim
        self.n_members, self.n_elites = model.n_members, model.n_elites
        self.probabilistic, self.has_saved_form = model.probabilistic, has_saved_form(model)

    @property
    def elites(self) -> Tensor:
        """See `DynamicsModel`."""
        return self.model.elites

    @property
    def device(self) -> torch.device:
        """See `DynamicsModel`."""
        return self.model.device

    def state_dict(self) -> Mapping[str, Tensor]:
        """See `DynamicsModel`."""
        return self.model.state_dict()

    @classmethod
    def from_card(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """It is not saved; the model in it is."""
        raise SettingsError(f"{cls.__name__} is made by an environment: read the model in it.")
