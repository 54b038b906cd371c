"""`penalty_unit`: the unit of uncertainty in which λ counts."""

from collections.abc import Callable

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError, unknown_name

RAW, DATA, REWARD = SCALES = ("raw", "data", "reward")
"""Names of the units."""


def check_penalty_scale(scale: str) -> None:
    """Refuse a unit that does not exist.

    Raises:
        SettingsError: An unknown name.
    """
    if scale not in SCALES:
        raise unknown_name("penalty_scale", scale, SCALES)


def check_unit(scale: str, transitions: Transitions) -> None:
    """Refuse a unit that the dataset does not have; no model is needed for that.

    Raises:
        SettingsError: The rewards set the unit, and all of them are 0.
    """
    if scale == REWARD:
        _mean_reward(transitions)


def penalty_unit(scale: str, mean: Callable[[], float], transitions: Transitions) -> float:
    """Uncertainty that costs λ.

    Args:
        scale: `"raw"` for 1, `"data"` for the mean uncertainty over the dataset, so that its steps cost λ on
            average, `"reward"` for this mean over that of |reward|, so that they cost the share λ of it.
        mean: Measures the mean uncertainty over the dataset; called only if the unit depends on it.
        transitions: The dataset.

    Raises:
        SettingsError: The rewards set the unit, and all of them are 0.
    """
    if scale == RAW:
        return 1.0
    reward = 1.0 if scale == DATA else _mean_reward(transitions)  # refuses before the long measurement
    return mean() / reward


def _mean_reward(transitions: Transitions) -> float:
    """Mean |reward| of the dataset."""
    mean = float(transitions.rewards.double().abs().mean())
    if mean == 0:
        raise SettingsError(
            "penalty_scale='reward' counts λ in shares of the dataset's mean |reward|, but all its rewards "
            "are 0. Use penalty_scale='data' or 'raw'."
        )
    return mean
