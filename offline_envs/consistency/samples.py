"""`Steps`: the recorded steps of a dataset, and the model's from the same observations and actions."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import DELTA, DynamicsModel, Prediction, PredictsOwn


class Steps(NamedTuple):
    """Steps without their rewards."""

    obs: Tensor  # (B, d)
    action: Tensor  # (B, k)
    next_obs: Tensor  # (B, d)

    @classmethod
    def of(cls, transitions: Transitions, device: torch.device) -> Self:
        """All steps of a dataset, on a device."""
        fields = (transitions.obs, transitions.actions, transitions.next_obs)
        return cls(*(field.to(device) for field in fields))

    def rows(self, index: Tensor) -> "Steps":
        """The steps in `index`, int64 `(B,)`."""
        return Steps(*(field[index] for field in self))

    def of_model(self, model: DynamicsModel, generator: torch.Generator) -> "Steps":
        """A fresh sample of the model from each observation and action, see `sampled_next_obs`."""
        return self._replace(next_obs=sampled_next_obs(model, self.obs, self.action, generator))


def sampled_next_obs(model: DynamicsModel, obs: Tensor, action: Tensor, generator: torch.Generator) -> Tensor:
    """Sample successors as a learned environment does: one elite a row, and of its Gaussian.

    Args:
        model: The model.
        obs: Observations, `(B, d)`, on its device.
        action: Actions, `(B, k)`.
        generator: Source of randomness, on the CPU, so that every device samples the same.

    Returns:
        Next observations, `(B, d)`.
    """
    place = torch.randint(len(model.elites), (len(obs),), generator=generator).to(obs.device)
    noise = torch.randn(obs.shape, generator=generator).to(obs.device)
    own = _predicted_by(model, obs, action, place)
    return obs + torch.addcmul(own.mean[:, DELTA], own.std[:, DELTA], noise)


def _predicted_by(model: DynamicsModel, obs: Tensor, action: Tensor, place: Tensor) -> Prediction:
    """What each row's own elite predicts, `(B, 1 + d)`."""
    if obs.device.type == "cpu" and isinstance(model, PredictsOwn):
        return model.predict_own(obs, action, model.elites[place])
    return model.predict(obs, action, model.elites).own(place)
