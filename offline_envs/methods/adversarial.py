"""`Adversarial`: RAMBO's model (Rigter et al. 2022), which an adversary changes while a policy trains."""

from dataclasses import dataclass
from typing import ClassVar

from offline_envs.dynamics import DynamicsModel, EnsembleDynamics
from offline_envs.errors import SettingsError
from offline_envs.methods.base import Method


@dataclass(frozen=True)
class Adversarial(Method):
    """The plain model, on a copy that an adversary may change; it has no settings.

    A step sees immediately what an adversary changed, see `offline_envs.adversary.Adversary`.
    """

    needs_ensemble: ClassVar[str | None] = "An adversary changes an ensemble by its gradients"

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
