"""`Adversarial`: RAMBO's model (Rigter et al. 2022), which an adversary changes while a policy trains."""

from dataclasses import dataclass
from typing import ClassVar

from offline_envs.dynamics import DynamicsModel, EnsembleDynamics, EnsembleSettings, ModelShape
from offline_envs.errors import SettingsError
from offline_envs.methods.base import Method


@dataclass(frozen=True)
class Adversarial(Method):
    """The plain model, on a copy that an adversary may change; it has no settings.

    A step sees immediately what an adversary changed, see `offline_envs.adversary.Adversary`.
    """

    needs_ensemble: ClassVar[str | None] = "An adversary changes an ensemble by its gradients"

    def check(self, shape: ModelShape) -> None:
        """Refuse an ensemble that an adversary cannot change, see `check_movable`.

        Raises:
            SettingsError: Such an ensemble.
        """
        settings = shape.settings if isinstance(shape, EnsembleDynamics) else shape
        if isinstance(settings, EnsembleSettings):  # other kinds are refused by `own_model`
            check_movable(settings)

    def own_model(self, model: DynamicsModel) -> EnsembleDynamics:
        """A copy of the ensemble, which nobody else holds and which takes gradients.

        Fitted models are shared within a process and frozen. The copy is neither, so changing it leaves the
        cached model, and every other environment, as they are.

        Raises:
            SettingsError: Another kind of model, which has no gradients to follow.
        """
        if not isinstance(model, EnsembleDynamics):
            raise SettingsError(
                f"{self.needs_ensemble}, got {type(model).__name__}: leave out reward=, known= and history=, "
                "and models of another kind."
            )
        return model.copy().requires_grad_(True)


def check_movable(settings: EnsembleSettings) -> None:
    """Refuse an ensemble whose probabilities an adversary cannot lower, or whose bounds it would break.

    Raises:
        SettingsError: Members without a variance, or layers of a bounded spectral norm.
    """
    if not settings.probabilistic:
        raise SettingsError("An adversary needs members that predict a variance, but probabilistic=False.")
    if settings.spectral_norm:
        raise SettingsError(
            "An adversary does not keep the spectral norm of layers; use spectral_norm=False."
        )
