"""Check velocities, logged or computed from a reward, against the observations beside them."""

import numpy as np
from numpy.typing import NDArray

from offline_envs.data import Transitions

Values = NDArray[np.float64]

MAX_BIAS = 0.1
"""Largest mean distance between true and observed velocities [m/s], beyond chance; 0.01 in three replay
buffers."""

MAX_SCATTER = 0.5
"""Largest deviation of that distance, as a share of the observed velocities' root mean square; 0.3 under
uniform actions, and 0.05 to 0.11 in three replay buffers."""

LEAST_LOGGED = 30
"""Fewest logged steps that are compared with the observations; fewer differ by chance."""

NEARER = 1.5
"""How many times nearer a log of another step is to that step's velocities; 2.2 in 1000 steps of a buffer."""

ROUNDING = 1e-5
"""Distance from a limit within which a velocity counts as being at it [m/s]; rewards in float32 give
velocities to some 5e-7."""

LEAST_AT_LIMIT = 3
"""Number of different steps at one largest (or smallest) velocity that no uncapped reward reaches."""

MAX_EFFORT_SLOPE = 0.025
"""Largest change of the distance with |a|² [m/s], obs, next_obs and action held fixed: up to 0.013 in pieces
of 20 000 steps of two replay buffers of HalfCheetah. A smaller error of `ctrl_cost_weight` is not noticed."""

SURE = 3.0
"""Standard errors that chance may account for."""

ROWS_FOR_SLOPE = 20_000
"""Rows that the slope is computed from, evenly spaced."""


def why_doubtful(logged: Values, observed: Values, expected: float) -> str:
    """Return why logged velocities `(n,)` cannot be those observed `(n,)`; empty if they can or are too few.

    A root mean square distance up to `expected` [m/s] is not doubtful, however slowly the body moved.
    """
    if len(logged) < LEAST_LOGGED:
        return ""
    far = root_mean_square(logged - observed) > expected
    return (why_not_observed(logged, observed) if far else "") or why_other_step(logged, observed)


def why_not_observed(values: Values, observed: Values) -> str:
    """Return why velocities `(n,)` over steps cannot be those observed `(n,)`; empty if they can."""
    distance = values - observed
    most = MAX_SCATTER * root_mean_square(observed) + ROUNDING
    by_chance = SURE * distance.std() / np.sqrt(len(distance))
    if abs(distance.mean()) > MAX_BIAS + by_chance or distance.std() > most:
        far = root_mean_square(distance)
        return f"does not fit the observed velocities (they differ by {far:.2g} m/s, root mean square)"
    return ""


def why_other_step(values: Values, observed: Values) -> str:
    """Return why velocities `(n,)` belong to the step before or after; empty if they are not."""
    far = root_mean_square(values - observed)
    for moved, beside, step in (
        (values[1:], observed[:-1], "before"),
        (values[:-1], observed[1:], "after"),
    ):
        if len(moved) and NEARER * root_mean_square(moved - beside) < far:
            return f"is nearer to the observed velocities of the step {step}"
    return ""


def why_capped(values: Values, transitions: Transitions) -> str:
    """Return why velocities `(n,)` look capped at a limit; empty if they do not."""
    for limit in (values.max(), values.min()):
        rows = np.flatnonzero(np.abs(values - limit) < ROUNDING)
        # Copies of an episode reach their largest velocity together; a few rows distinguish them from a cap.
        if len(np.unique(transitions.obs.numpy()[rows[:100]], axis=0)) >= LEAST_AT_LIMIT:
            return f"is capped: {len(rows)} rows give a velocity of {limit:.4g} m/s"
    return ""


def why_other_cost(values: Values, observed: Values, transitions: Transitions) -> str:
    """Return why velocities `(n,)` from a reward are off by a cost of the action; empty if they are not.

    Their distance to the observed velocities is regressed on |a|², obs, next_obs and action: what |a|² alone
    explains is a control cost of another weight. Too few steps, or actions of one size, show nothing.
    """
    rows = slice(None, None, 1 + len(values) // ROWS_FOR_SLOPE)
    step = (transitions.obs, transitions.next_obs, transitions.actions)
    obs, next_obs, action = (tensor[rows].numpy().astype(np.float64) for tensor in step)
    others = np.column_stack([np.ones(len(obs)), obs, next_obs, action])  # (n, 1 + 2 d + k)
    spare = len(others) - others.shape[1] - 1
    if spare < others.shape[1]:
        return ""
    both = np.column_stack([(action**2).sum(axis=1), (values - observed)[rows]])
    effort, distance = (both - others @ np.linalg.lstsq(others, both, rcond=None)[0]).T
    if root_mean_square(effort) < ROUNDING:
        return ""
    slope = effort @ distance / (effort @ effort)
    error = np.sqrt(((distance - slope * effort) ** 2).sum() / spare / (effort @ effort))
    if abs(slope) > max(MAX_EFFORT_SLOPE, SURE * error):
        return f"has another control cost: the velocities from it change by {slope:.2g} m/s with |a|^2"
    return ""


def root_mean_square(values: Values) -> float:
    """Return the root mean square of numbers of any shape."""
    return float(np.sqrt((values**2).mean()))
