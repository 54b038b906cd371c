"""Schedules of learning rate and own inputs: pure functions from the progress of a fit to a factor."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

WARM_UP_STEPS = 50
"""Gradient steps in which the cosine schedule starts from zero, at most a tenth of all."""


def constant(step: int, n_steps: int | None) -> float:
    """Keep it constant, as the learning rate is in MOPO's release; the fit may have any length."""
    del step, n_steps
    return 1.0


def cosine(step: int, n_steps: int | None) -> float:
    """Decay by half a cosine to zero (Loshchilov and Hutter 2017, eq. 5; no restarts), after a warm-up.

    Args:
        step: Number of gradient steps already taken.
        n_steps: Number of gradient steps of the whole fit.

    Returns:
        Factor of the learning rate, in [0, 1].
    """
    assert n_steps is not None  # checked by FitSettings
    warm_up = min(WARM_UP_STEPS, n_steps // 10)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (n_steps - warm_up)))


SCHEDULES: Mapping[str, Callable[[int, int | None], float]] = MappingProxyType(
    {"constant": constant, "cosine": cosine}
)
"""Every schedule by the name that the `schedule` setting of a fit takes."""


def linear(step: int, n_steps: int | None) -> float:
    """Grow linearly from zero to one in the first half of the fit, and stay there.

    Bengio et al. 2015 let the share of recorded inputs fall linearly, to a floor from where it stays.

    Args:
        step: Number of gradient steps already taken.
        n_steps: Number of gradient steps of the whole fit.
    """
    assert n_steps is not None  # checked by FitSettings
    return min(1.0, 2 * step / n_steps)


OWN_SCHEDULES: Mapping[str, Callable[[int, int | None], float]] = MappingProxyType(
    {"constant": constant, "linear": linear}
)
"""Every schedule by the name that the `own_schedule` setting of a fit takes."""
