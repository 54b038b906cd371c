"""`fitted_data`: the dataset of a model that a wrapper measures by."""

from typing import Any

from offline_envs.data import DatasetSource, Transitions, load_transitions
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs import is_learned, resolve_model
from offline_envs.errors import SettingsError


def fitted_data(
    env: Any, dataset: DatasetSource | None, model: DynamicsModel, *, needed_by: str
) -> Transitions:
    """The data that a model was fitted to: those given, or a learned environment's own.

    Args:
        env: The environment.
        dataset: The data, or None.
        model: The model.
        needed_by: What needs them, for the message.

    Raises:
        SettingsError: There are none, or they have other dimensions than the model.
    """
    source = env.unwrapped.transitions if dataset is None and is_learned(env) else dataset
    if source is None:
        raise SettingsError(f"{needed_by} needs dataset=, the data that the model was fitted to.")
    transitions = load_transitions(source)
    dimensions = (transitions.obs_dim, transitions.action_dim)
    resolve_model(model, *dimensions, device=str(model.device), history=transitions.history)
    return transitions
