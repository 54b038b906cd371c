"""Bounds of an observation space that the recorded observations keep."""

import warnings
from dataclasses import replace

import numpy as np
import torch

from offline_envs.data.health.findings import listed
from offline_envs.data.spaces.observations import obs_bounds, with_bounds
from offline_envs.data.spaces.rounding import with_rounding
from offline_envs.data.tables.names import obs_names
from offline_envs.data.transitions import Transitions


def within_bounds(transitions: Transitions) -> Transitions:
    """Drop the bounds of those columns whose recorded observations lie outside them by more than rounding.

    A learned environment keeps its observations within the bounds, which must not move those of the data.

    Warns:
        UserWarning: Some do; the message names the columns.
    """
    space, recorded = transitions.obs_space, transitions.newest
    if space is None:
        return transitions
    low, high = obs_bounds(space)
    if not (np.isfinite(low) | np.isfinite(high)).any():
        return transitions
    lowest = torch.minimum(recorded.obs.amin(0), recorded.next_obs.amin(0)).numpy()
    highest = torch.maximum(recorded.obs.amax(0), recorded.next_obs.amax(0)).numpy()
    least, most = with_rounding(low, high)
    outside = (lowest < least) | (highest > most)
    if not outside.any():
        return transitions
    names = obs_names(recorded)
    columns = listed([names[i] for i in np.flatnonzero(outside)])
    warnings.warn(
        f"{transitions.source}: observations lie outside the bounds of their space {space} in "
        f"{columns}; these bounds are not used. Pass the env_id= that the data come from.",
        stacklevel=2,
    )
    open_low, open_high = np.where(outside, -np.inf, low), np.where(outside, np.inf, high)
    return replace(transitions, obs_space=with_bounds(space, open_low, open_high))
