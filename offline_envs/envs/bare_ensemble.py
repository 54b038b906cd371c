"""Refusals of what an ensemble alone can do, where other models or known outputs are asked for as well."""

from collections.abc import Iterator

from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel, EnsembleDynamics
from offline_envs.envs.options import ModelOptions
from offline_envs.errors import SettingsError
from offline_envs.methods import Method

ROUNDED = "precision='bfloat16' rounds the hidden layers of an ensemble"


def check_all_learned(method: Method, options: ModelOptions, transitions: Transitions) -> None:
    """Refuse known outputs beside what needs the ensemble itself; no model is needed for that.

    Args:
        method: The method.
        options: The other settings.
        transitions: The data, which may have a history of their own.

    Raises:
        SettingsError: They contradict each other.
    """
    given = [
        *(["reward="] if options.reward is not None else []),
        *(["known="] if options.knows_columns else []),
        *([f"history={transitions.history}"] if transitions.history > 1 else []),
    ]
    for rule, otherwise in _needs(method, options) if given else ():
        names = " and ".join(given)
        raise SettingsError(
            f"{rule}, all of whose outputs are learned, got {names}: some are known then. Leave {names} "
            f"out{otherwise}."
        )


def check_ensemble(method: Method, options: ModelOptions, model: DynamicsModel) -> None:
    """Refuse a model that is no ensemble where one is needed.

    Raises:
        SettingsError: It is none.
    """
    for rule, otherwise in _needs(method, options):
        if not isinstance(model, EnsembleDynamics):
            raise SettingsError(
                f"{rule}, got {type(model).__name__}. Give the model= of an ensemble, leave model= out "
                f"to fit one{otherwise}."
            )


def _needs(method: Method, options: ModelOptions) -> Iterator[tuple[str, str]]:
    """What needs the ensemble itself, as the beginning of a message, and what there is instead."""
    if method.needs_ensemble is not None:
        yield method.needs_ensemble, ""
    if options.precision == "bfloat16":
        yield ROUNDED, ", or use precision='float32'"
