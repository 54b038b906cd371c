"""`with_gradients`: predictions through which gradients pass, of the models that have them."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from offline_envs.dynamics.model import DynamicsModel
from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import SettingsError

NO_GRADIENTS = (
    "The model's function gives no gradients: it takes arrays, or leaves PyTorch on the way. Write it with "
    "operations on tensors, or plan by samples, e.g. with cem."
)


@runtime_checkable
class Differentiable(Protocol):
    """A model that can also be predicted by with gradients, first and second ones."""

    def predict_with_gradients(
        self, obs: Tensor, action: Tensor, members: Tensor | None = None
    ) -> Prediction:
        """Predict as `predict` does up to rounding, by operations that autograd follows."""


def with_gradients(
    model: DynamicsModel, obs: Tensor, action: Tensor, members: Tensor | None = None
) -> Prediction:
    """Predict so that observations and actions get gradients; in place of `float32` as a `Predictor`.

    Args:
        model: The model.
        obs: See `DynamicsModel.predict`.
        action: See `DynamicsModel.predict`.
        members: See `DynamicsModel.predict`.

    Raises:
        SettingsError: The model has no gradients.
    """
    if not isinstance(model, Differentiable):
        raise SettingsError(
            f"{type(model).__name__} has no predict_with_gradients, which planning by gradients needs. Plan "
            "by samples, e.g. with cem."
        )
    asked = torch.is_grad_enabled() and (obs.requires_grad or action.requires_grad)
    try:
        prediction = model.predict_with_gradients(obs, action, members)
    except RuntimeError as error:
        if asked and "requires grad" in str(error):  # what PyTorch says to `.numpy()`
            raise SettingsError(NO_GRADIENTS) from error
        raise
    if asked and not prediction.mean.requires_grad:
        raise SettingsError(NO_GRADIENTS)
    return prediction
