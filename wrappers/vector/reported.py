"""`check_reported`: whether the layers beneath a wrapper report the rewards that they change."""

from typing import Any

from gymnasium.vector import VectorEnv

from offline_envs.envs import LearnedVectorEnv, layers
from offline_envs.errors import SettingsError


def check_reported(env: VectorEnv[Any, Any, Any]) -> None:
    """Refuse infos of raw rewards where a layer beneath changes rewards and has no infos.

    Args:
        env: What a wrapper with `step_infos=True` wraps.

    Raises:
        SettingsError: Such a layer.
    """
    for layer in layers(env):
        unchanged = isinstance(layer, LearnedVectorEnv) and layer.mdp.transform is None
        if vars(layer).get("step_infos") is False and not unchanged:
            raise SettingsError(
                f"step_infos=True reports raw rewards and whole penalties, but {type(layer).__name__} "
                "beneath changes rewards and does not say how. Make it with step_infos=True, too."
            )
