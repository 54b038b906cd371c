"""`DynamicsModel`: the interface of a model in a learned MDP, whatever kind of network or process it is."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import unknown_name
from offline_envs.files import tensor_bytes
from offline_envs.settings import follows

if TYPE_CHECKING:
    from typing_extensions import TypeIs

MEMBER_CHOICES = ("all", "elites")
"""Choices of the members that are measured or compared."""


class ModelShape(Protocol):
    """The members that a model has, or will have once it is fitted."""

    @property
    def n_members(self) -> int:
        """Number of members, N; 1 for a model that is not an ensemble."""

    @property
    def n_elites(self) -> int:
        """Number of members that transitions are drawn from, E."""

    @property
    def probabilistic(self) -> bool:
        """Whether members predict a variance."""


@runtime_checkable
class DynamicsModel(ModelShape, Protocol):
    """N members that each predict a Gaussian over (reward, next_obs − obs), independently per dimension.

    `EnsembleDynamics` is one implementation. A Gaussian process, a recurrent network or a user's
    network is another: it needs no base class, only these members, and `MODEL_KINDS` to be read from a
    file. A model of one member has `elites = tensor([0])`. `FunctionModel` is one for any function;
    `is_dynamics_model` says whether an object is one; since Python 3.12 `isinstance` overlooks buffers.
    """

    @property
    def obs_dim(self) -> int:
        """Number of observation dimensions, d."""

    @property
    def action_dim(self) -> int:
        """Number of action dimensions, k."""

    @property
    def elites(self) -> Tensor:
        """Index of the members that transitions are drawn from, int64 `(E,)`, on the model's device."""

    @property
    def device(self) -> torch.device:
        """Device of the computation."""

    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        """Predict the next step, without gradients.

        Args:
            obs: Observations, float32 `(B, d)`, on the model's device.
            action: Actions in the environment's units, float32 `(B, k)`.
            members: Index of the M members to ask, int64 `(M,)`; None for all.

        Returns:
            Mean and standard deviation of each of them, float32 `(M, B, 1 + d)`, in raw units.
        """

    def to(self, device: torch.device | str) -> Self:
        """Move the model to a device, and return it."""

    def copy(self) -> Self:
        """An independent model with the same predictions."""

    def card(self) -> dict[str, Any]:
        """Return what `from_card` needs besides the tensors, as JSON values."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Every tensor that the predictions depend on, by name."""

    @classmethod
    def from_card(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build the model, on the CPU, from the results of `card` and `state_dict`.

        Raises:
            SettingsError, KeyError, TypeError, RuntimeError: They do not match.
        """


def is_dynamics_model(value: object) -> "TypeIs[DynamicsModel]":
    """Whether an object has every member of `DynamicsModel`; its tensors may be buffers of a torch module."""
    return follows(value, DynamicsModel)


@runtime_checkable
class PredictsOwn(Protocol):
    """A model that computes each row by its own member at the cost of a single member."""

    def predict_own(self, obs: Tensor, action: Tensor, member: Tensor) -> Prediction:
        """Predict each row by member `member`, int64 `(B,)`: mean and deviation, `(B, 1 + d)`."""


def has_saved_form(model: DynamicsModel) -> bool:
    """Whether card and tensors describe a model; one says that they do not by `has_saved_form = False`."""
    return bool(getattr(model, "has_saved_form", True))


def weights_digest(model: DynamicsModel) -> str:
    """SHA-256 of the tensors that the predictions of a model with a saved form depend on, in hexadecimal."""
    return hashlib.sha256(tensor_bytes(model.state_dict())).hexdigest()


def n_compared(shape: ModelShape, members: str) -> int:
    """Number of members in a choice, `"all"` or `"elites"`."""
    return shape.n_members if members == "all" else shape.n_elites


def check_members(setting: str, members: object) -> None:
    """Refuse a choice of members other than `"all"` or `"elites"`.

    Args:
        setting: Name of the setting, for the message.
        members: Its value.

    Raises:
        SettingsError: Another choice.
    """
    if members not in MEMBER_CHOICES:
        raise unknown_name(setting, members, MEMBER_CHOICES)
