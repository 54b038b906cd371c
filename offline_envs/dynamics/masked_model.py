"""`MaskedModel`: a model some of whose outputs are known from elsewhere."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from offline_envs.dynamics.gradients import with_gradients
from offline_envs.dynamics.model import DynamicsModel, PredictsOwn
from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.wrapped_model import WrappedModel


class MaskedModel(WrappedModel):
    """A model in whose known outputs all members agree, without doubt.

    There a member predicts the mean over those asked, and no deviation, so that neither penalties nor
    disagreements count them: what is known is not uncertain. Whoever knows the outputs replaces them.

    Args:
        model: The model.
        outputs: Numbers of the known outputs of (reward, next_obs − obs).

    Attributes:
        outputs: Numbers of the known outputs, int64, on its device.
    """

    def __init__(self, model: DynamicsModel, outputs: Sequence[int]) -> None:
        super().__init__(model)
        self.outputs = torch.tensor(sorted(outputs), dtype=torch.int64, device=model.device)

    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        """See `DynamicsModel`."""
        return self._masked(self.model.predict(obs, action, members))

    def predict_with_gradients(
        self, obs: Tensor, action: Tensor, members: Tensor | None = None
    ) -> Prediction:
        """See `Differentiable`.

        Raises:
            SettingsError: The model in it has no gradients.
        """
        return self._masked(with_gradients(self.model, obs, action, members))

    def _masked(self, prediction: Prediction) -> Prediction:
        mean, std = prediction
        agreed = mean.index_select(-1, self.outputs).mean(dim=0, keepdim=True).expand(len(mean), -1, -1)
        return Prediction(mean.index_copy(-1, self.outputs, agreed), std.index_fill(-1, self.outputs, 0.0))

    def predict_own(self, obs: Tensor, action: Tensor, member: Tensor) -> Prediction:
        """See `PredictsOwn`; of the known outputs, the mean is the member's own."""
        if not isinstance(self.model, PredictsOwn):
            return self.predict(obs, action).own(member)
        mean, std = self.model.predict_own(obs, action, member)
        return Prediction(mean, std.index_fill(-1, self.outputs, 0.0))

    def to(self, device: torch.device | str) -> Self:
        """See `DynamicsModel`."""
        return type(self)(self.model.to(device), self.outputs.tolist())

    def copy(self) -> Self:
        """See `DynamicsModel`."""
        return type(self)(self.model.copy(), self.outputs.tolist())

    def card(self) -> dict[str, Any]:
        """What identifies it in the cache, with its tensors."""
        return {"masked": self.outputs.tolist(), "model": self.model.card()}
