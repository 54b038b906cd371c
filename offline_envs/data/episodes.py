"""Episode boundaries in flat arrays, and the successors that can be known."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.errors import DatasetError

Fields = dict[str, NDArray[Any]]
"""Arrays of one row per step, by the names of `Transitions`, and perhaps `truncated` and `episode_starts`."""


def episode_ends(source: str, fields: Fields) -> NDArray[np.bool_]:
    """Mark the last row of every episode, bool `(n,)`.

    An episode ends where it terminated, before every row of `episode_starts`, where it was truncated, and at
    the last row. If neither `truncated` nor `episode_starts` is given, it also ends where `next_obs[t]` is
    not `obs[t + 1]`.

    Raises:
        DatasetError: The ends of truncated episodes cannot be determined, so episodes might leak into each
            other.
    """
    ends: NDArray[np.bool_] = fields["terminated"].copy()
    ends[-1] = True
    if "truncated" in fields:
        ends |= fields["truncated"]
    if "episode_starts" in fields:
        ends[fields["episode_starts"][1:] - 1] = True
    if not fields.keys() & {"truncated", "episode_starts"}:
        ends[:-1] |= _jumps(source, fields)
    return ends


def _jumps(source: str, fields: Fields) -> NDArray[np.bool_]:
    if "next_obs" not in fields:
        raise DatasetError(
            f"{source} does not tell where truncated episodes end, so the last step of one would be joined "
            "to the first of the next. "
            "Give one of: timeouts (n,), episode_starts (e,), next_observations (n, d)."
        )
    jumps: NDArray[np.bool_] = (fields["next_obs"][:-1] != fields["obs"][1:]).any(axis=1)
    return jumps


def starts_of(ends: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First row of every episode `(e,)`, given the marks of the last rows `(n,)`."""
    return np.flatnonzero(np.append(True, ends[:-1])).astype(np.int64)


def with_known_successors(
    source: str, steps: Fields, infos: Fields, ends: NDArray[np.bool_]
) -> tuple[Fields, NDArray[np.int64], Fields]:
    """Take the next row's observation as successor, and drop the last row of every episode, which has none.

    Args:
        source: Where the data come from, for the warning.
        steps: Arrays of `n` rows, without `next_obs`.
        infos: More arrays of `n` rows.
        ends: Marks of the last row of every episode, bool `(n,)`.

    Returns:
        The rows that remain with their `next_obs`, the first row of every episode among them, their infos.

    Raises:
        DatasetError: No row remains.

    Warns:
        UserWarning: How many rows are dropped, and that no termination is left.
    """
    kept = ~ends
    if not kept.any():
        raise DatasetError(
            f"{source}: no row has a known successor: without next_observations the last row of every "
            f"episode must be dropped, and each of the {len(ends)} episodes has one row."
        )
    warnings.warn(
        f"{source} has no next_observations: {int(ends.sum())} of {len(ends)} rows are dropped because the "
        f"successor of an episode's last step is unknown. This also drops all "
        f"{int(steps['terminated'].sum())} terminations, so nothing in the data shows when the MDP ends.",
        stacklevel=2,
    )
    remaining = {name: values[kept] for name, values in steps.items()}
    remaining["next_obs"] = steps["obs"][1:][kept[:-1]]
    episode: NDArray[np.int64] = np.cumsum(ends) - ends
    starts = np.unique(episode[kept], return_index=True)[1].astype(np.int64)
    return remaining, starts, {name: values[kept] for name, values in infos.items()}
