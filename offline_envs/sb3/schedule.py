"""Number of model transitions collected for each gradient step, in SB3's settings."""

import math
from typing import TypedDict

from offline_envs.errors import SettingsError
from offline_envs.settings import check_arguments

ROLLOUT_STARTS = 50_000
"""Rollouts MOPO starts in an epoch (settings of the code of Yu et al. 2020)."""

EPOCH_GRADIENT_STEPS = 1000
"""Gradient steps MOPO takes in an epoch."""

RETAINED_EPOCHS = 5
"""Epochs of model transitions that MOPO keeps."""

RATIO_TOLERANCE = 0.01
"""Largest relative distance of the ratio of whole numbers from the requested one."""


class OffPolicySchedule(TypedDict):
    """Keyword arguments of SB3's off-policy agents."""

    train_freq: int
    gradient_steps: int
    buffer_size: int
    learning_starts: int


@check_arguments
def mopo_schedule(
    n_envs: int,
    horizon: int,
    *,
    transitions_per_gradient_step: float | None = None,
    retained_transitions: int | None = None,
) -> OffPolicySchedule:
    """Compute the settings under which SB3 collects and trains in MOPO's proportions.

    One cycle of SB3 is `train_freq` steps of `n_envs` rows, then `gradient_steps` updates. The cycle is the
    smallest number of full horizons that gives the ratio within 1 %. MOPO itself does 50 000 rollouts, then
    1000 updates; smaller cycles follow the policy more closely. To take `u` gradient steps, learn
    `u * transitions_per_gradient_step` timesteps.

    `learning_starts` is 0: SB3 samples the actions before it one row at a time.

    Args:
        n_envs: Rows of the vector environment.
        horizon: Steps of a rollout, h.
        transitions_per_gradient_step: Model transitions collected per update; MOPO's `50 * horizon` if None.
        retained_transitions: Model transitions kept; MOPO's `5 * 50_000 * horizon` if None.

    Returns:
        Keyword arguments for the agent: `SAC("MlpPolicy", envs, **mopo_schedule(...))`.

    Raises:
        SettingsError: A number that is not positive.
    """
    ratio = transitions_per_gradient_step
    if ratio is None:
        ratio = ROLLOUT_STARTS * horizon / EPOCH_GRADIENT_STEPS
    if retained_transitions is None:
        retained_transitions = RETAINED_EPOCHS * ROLLOUT_STARTS * horizon
    if min(n_envs, horizon, ratio, retained_transitions) <= 0:
        raise SettingsError(
            "n_envs, horizon, transitions_per_gradient_step and retained_transitions must be positive, got "
            f"{n_envs}, {horizon}, {ratio} and {retained_transitions}."
        )
    horizons, gradient_steps = _least_cycle(n_envs * horizon, ratio)
    return OffPolicySchedule(
        train_freq=horizon * horizons,
        gradient_steps=gradient_steps,
        buffer_size=max(retained_transitions, n_envs),
        learning_starts=0,
    )


def _least_cycle(transitions: int, ratio: float) -> tuple[int, int]:
    """Find how often to collect `transitions`, and how many updates follow, for a ratio within tolerance."""
    horizons = max(1, math.ceil((1 - RATIO_TOLERANCE) * ratio / transitions))
    while True:
        gradient_steps = max(1, round(horizons * transitions / ratio))
        if abs(horizons * transitions / gradient_steps / ratio - 1) <= RATIO_TOLERANCE:
            return horizons, gradient_steps
        horizons += 1
