"""`MODEL_KINDS`: the classes of dynamics models that can be read from a folder."""

from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.gaussian_process.model import GaussianProcessDynamics
from offline_envs.dynamics.model import DynamicsModel
from offline_envs.errors import SettingsError
from offline_envs.registry import Registry

ENSEMBLE = "ensemble"
"""Kind of a card without a kind: files of version 0.1.0."""

MODEL_KINDS: Registry[type[DynamicsModel]] = Registry(
    "kind of dynamics model", {ENSEMBLE: EnsembleDynamics, "gp": GaussianProcessDynamics}
)
"""Every kind by its name in the card of a saved model. A card never names code to run."""


def kind_of(model: DynamicsModel) -> str:
    """Return the name under which the model's class is registered.

    Raises:
        SettingsError: It is not registered.
    """
    for name, kind in MODEL_KINDS.items():
        if type(model) is kind:
            return name
    raise SettingsError(
        f"A model's class must be registered to be saved, and {type(model).__name__} is not. Call "
        f"offline_envs.dynamics.MODEL_KINDS.register('my-kind', {type(model).__name__})."
    )
