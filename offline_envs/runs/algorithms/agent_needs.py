"""What the agents COMBO and MOBILE need of a run in a learned environment, whatever its algorithm."""

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleSettings
from offline_envs.envs import resolve_model
from offline_envs.errors import SettingsError
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import COMBO, MOBILE, agent_class


def check_agent_needs(settings: RunSettings) -> None:
    """Refuse settings with which the run's agent would refuse to train, once there is a model.

    Raises:
        SettingsError: Such a setting.
    """
    if _lowers_values(settings):
        _check_rows(settings)
    if _compares_elites(settings) and settings.model is None and "model" not in settings.agent_options:
        _check_elites(settings, settings.nested("ensemble", EnsembleSettings).n_elites)


def check_agent_model(settings: RunSettings, transitions: Transitions) -> None:
    """Refuse a fitted model that the run's agent could not learn from.

    Raises:
        SettingsError: It has other dimensions than the data, or too few elites.
        CheckpointError: It cannot be read.
    """
    own = settings.agent_options.get("model")
    given = settings.model if own is None else own
    if _compares_elites(settings) and given is not None:
        history = settings.history if own is None else 1
        dimensions = (transitions.obs_dim, transitions.action_dim)
        model = resolve_model(given, *dimensions, device=settings.device, history=history)
        _check_elites(settings, model.n_elites)


def _lowers_values(settings: RunSettings) -> bool:
    kind = agent_class(settings.agent)
    return issubclass(kind, COMBO) and settings.agent_options.get("conservative_weight") != 0


def _compares_elites(settings: RunSettings) -> bool:
    kind = agent_class(settings.agent)
    return issubclass(kind, MOBILE) and settings.agent_options.get("inconsistency_coef") != 0


def _check_rows(settings: RunSettings) -> None:
    batch_size = settings.agent_options.get("batch_size", 256)
    if isinstance(batch_size, int) and int(batch_size * settings.real_ratio) < 1:
        raise SettingsError(
            f"{settings.agent} needs rows of the dataset in every batch, so real_ratio times the "
            f"agent's batch_size must be at least 1, got {settings.real_ratio} and {batch_size}."
        )
    if settings.agent_options.get("rho") == "model" and settings.real_ratio == 1:
        raise SettingsError(
            f"{settings.agent} with rho='model' needs rows of the model in every batch, got "
            "real_ratio=1. Take a lower one, or rho='mix'."
        )


def _check_elites(settings: RunSettings, n_elites: int) -> None:
    if n_elites < 2:
        raise SettingsError(
            f"{settings.agent} compares elites, so n_elites must be at least 2, got {n_elites}."
        )
