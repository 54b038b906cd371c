"""Episode boundaries in flat arrays, and the successors that can be known."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.errors import DatasetError

Fields = dict[str, NDArray[Any]]
"""Arrays of one row per step, by the names of `Transitions`, and perhaps `truncated` and `episode_starts`."""

MARKS = {"truncated": "timeouts", "episode_starts": "episode_starts"}
"""Fields that tell where episodes end, besides terminations, and what messages call them."""

ROUNDING = 1e-6
"""How far a successor may be from the next observation, as a share of its column's largest value: a few
float32 roundings."""

NEARLY_ALL = 0.9
"""Share of rows without their successor from which the rows hardly are episodes."""

ROWS_AT_ONCE = 100_000
"""Rows that are compared in float64 at a time, which bounds the memory."""


def episode_ends(source: str, fields: Fields) -> NDArray[np.bool_]:
    """Mark the last row of every episode, bool `(n,)`.

    An episode ends where it terminated, before every row of `episode_starts`, where it was truncated, at the
    last row, and where `next_obs` is given and is not the next row's observation, whether marked or not.

    Raises:
        DatasetError: The ends of truncated episodes cannot be determined, so episodes might leak into each
            other.

    Warns:
        UserWarning: How many ends the marks lack, or that rows hardly ever follow one another.
    """
    ends: NDArray[np.bool_] = fields["terminated"].copy()
    ends[-1] = True
    if "truncated" in fields:
        ends |= fields["truncated"]
    if "episode_starts" in fields:
        ends[fields["episode_starts"][1:] - 1] = True
    marks = [MARKS[name] for name in MARKS if name in fields]
    if "next_obs" not in fields:
        if not marks:
            raise DatasetError(
                f"{source} does not tell where truncated episodes end, so the last step of one would be "
                "joined to the first of the next. "
                "Give one of: timeouts (n,), episode_starts (e,), next_observations (n, d)."
            )
        return ends
    jumps = broken_links(fields["obs"], fields["next_obs"], ends)
    _warn_of_jumps(source, jumps, ends, marks)
    ends[:-1] |= jumps
    return ends


def broken_links(
    obs: NDArray[np.float32], next_obs: NDArray[np.float32], ends: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which rows inside episodes are not followed by their successor, bool `(n − 1,)`.

    Row t is, if `next_obs[t]` equals `obs[t + 1]` up to `ROUNDING` of each column's largest value: a
    successor may have been computed as `obs + change`, or have been rounded once more than the observation.

    Args:
        obs: Finite observations `(n, d)`.
        next_obs: Their finite successors `(n, d)`.
        ends: Marks of the last row of every episode, bool `(n,)`.
    """
    broken: NDArray[np.bool_] = (next_obs[:-1] != obs[1:]).any(axis=1) & ~ends[:-1]
    rows = np.flatnonzero(broken)
    if len(rows) == 0:
        return broken
    tolerance = ROUNDING * np.maximum(obs.max(axis=0), -obs.min(axis=0)).astype(np.float64)
    for some in np.array_split(rows, len(rows) // ROWS_AT_ONCE + 1):
        distance = np.abs(next_obs[some].astype(np.float64) - obs[some + 1])
        broken[some] = (distance > tolerance).any(axis=1)
    return broken


def _warn_of_jumps(source: str, jumps: NDArray[np.bool_], ends: NDArray[np.bool_], marks: list[str]) -> None:
    n_jumps, n_inside = int(jumps.sum()), int((~ends[:-1]).sum())
    if n_jumps > NEARLY_ALL * n_inside:
        warnings.warn(
            f"{source}: {n_jumps} of {n_inside} rows inside episodes have next_observations that are not the "
            "next row's observations. Either the rows are single transitions in random order: then each "
            "is taken as an episode of one step, and episode returns mean nothing. Or next_observations are "
            "normalised, rounded, or in other units than observations: then undo that, no model can be "
            "learned from them.",
            stacklevel=2,
        )
    elif n_jumps and marks:
        warnings.warn(
            f"{source}: {' and '.join(marks)} and terminations mark {int(ends.sum())} ends of episodes, but "
            f"{n_jumps} more rows have next_observations that are not the next row's observations, the "
            f"first is row {int(np.argmax(jumps))}. Episodes end there too, {int(ends.sum()) + n_jumps} in "
            "all. Mark them in the data if that is right.",
            stacklevel=2,
        )


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
