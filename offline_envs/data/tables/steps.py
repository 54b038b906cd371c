"""`transitions_from_table`: a table's rows as transitions, by what its columns mean."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.array_source import transitions_from_arrays
from offline_envs.data.tables.bounds import action_box, observed_bounds, possible_choices
from offline_envs.data.tables.columns import ROLE_NAMES, Columns, ColumnsChoice
from offline_envs.data.tables.meanings import (
    Cells,
    check_matrix,
    dimension_names,
    flags,
    matrix,
    rewards,
    single,
)
from offline_envs.data.tables.names import ACTION_CHOICES, ACTION_NAMES, OBS_NAMES
from offline_envs.data.tables.rows import check_even_times, episode_starts
from offline_envs.data.tables.table import Table
from offline_envs.data.transitions import Transitions
from offline_envs.errors import DatasetError, SettingsError


def transitions_from_table(table: Table, choice: ColumnsChoice | None = None) -> Transitions:
    """Read a table's rows as transitions.

    A row holds an observation, the action that was taken there, and what it brought. The successor of a row
    is the observation of the next row of its episode, unless there are columns of successors. What follows
    an episode's last row is unknown: that row is dropped, with its termination and a warning, unless it holds
    the final observation only (`Columns.final_rows`). Then a termination that it marks is that of the step
    before, as if that marked it.

    Args:
        table: The table.
        choice: What its columns are; what is left out is found by their names.

    Returns:
        Transitions without an environment, whose metadata hold the names of observations and actions, and
        whose action space is that of the bounds given or else of the actions in the data.

    Raises:
        DatasetError: A column is missing, holds anything but finite numbers, or rows are missing or out of
            order; the message says where.
        SettingsError: No valid `choice`.

    Warns:
        UserWarning: Columns are left out whose names begin like those of the observation, action or
            successors; nothing says what terminated, a termination in the middle of an episode, uneven times,
            and see `transitions_from_arrays`.
    """
    given = Columns.of(choice or {})
    columns, left_out = given.found_in(table.names), given.left_out(table.names)
    _check_named(table, columns, left_out)
    _warn_of_left_out(table, left_out)
    if isinstance(columns.episode, str):
        table = table.with_ids(columns.episode)
    cells = table.read(columns.used)
    starts = _starts(table, columns, cells)
    action = matrix(table, columns.action, cells)
    final = _final_rows(columns, action, starts)
    steps = _steps(table, columns, cells, action, starts, final)
    _warn_of_terminations(table, columns, steps)
    names = {
        "obs": dimension_names(table, columns, columns.obs, cells),
        "actions": dimension_names(table, columns, columns.action, cells),
    }
    transitions = transitions_from_arrays(steps, source=table.source, names=names)
    metadata = {OBS_NAMES: names["obs"], ACTION_NAMES: names["actions"]}
    actions = transitions.actions.numpy()
    choices = possible_choices(columns, actions)
    return replace(
        transitions,
        action_space=action_box(table, columns, actions),
        observed_bounds=observed_bounds(columns),
        metadata=metadata if choices is None else {**metadata, ACTION_CHOICES: choices},
    )


def _check_named(table: Table, columns: Columns, left_out: Mapping[str, Sequence[str]]) -> None:
    unknown = [name for name in columns.used if name not in table.names]
    if unknown:
        raise DatasetError(
            f"{table.source} has no column {unknown[0]!r}. It has: {', '.join(map(repr, table.names))}."
        )
    for key in ("obs", "action", "reward"):
        if getattr(columns, key) in (None, ()):
            number = ", or one number for all rows" if key == "reward" else ""
            raise DatasetError(
                f"{table.source}: no column, or not one alone, is called {' or '.join(ROLE_NAMES[key])}. "
                f"Name it: columns={{{key!r}: {left_out.get(key, '...')}}}{number}. "
                f"It has: {', '.join(map(repr, table.names))}."
            )
    marked = columns.episode is not None or isinstance(columns.truncated, str)
    if not marked and not columns.next_obs:
        raise DatasetError(
            f"{table.source} does not tell where episodes end, so the last step of one would be joined to "
            "the first of the next. Name the column that tells them apart, columns={'episode': ...}, or say "
            "columns={'episode': False} if all rows are one. "
            f"It has: {', '.join(map(repr, table.names))}."
        )
    if columns.final_rows and (columns.next_obs or columns.episode is None):
        raise SettingsError("columns: final_rows needs episode, and leaves next_obs nothing to say.")


def _warn_of_left_out(table: Table, left_out: Mapping[str, Sequence[str]]) -> None:
    if left_out:
        names = ", ".join(repr(name) for found in left_out.values() for name in found)
        keys = ", ".join(f"{key!r}: [...]" for key in left_out)
        warnings.warn(
            f"{table.source}: {names} left out: a name that begins like those of {', '.join(left_out)} does "
            f"not say that its column belongs there. Name all that count, columns={{{keys}}}, or drop these.",
            stacklevel=3,
        )


def _starts(table: Table, columns: Columns, cells: Cells) -> NDArray[np.int64]:
    """First rows of the episodes that the columns tell apart, and a check of their times."""
    n = len(cells[columns.obs[0]])
    if isinstance(columns.episode, str):
        starts = episode_starts(table, columns.episode, single(table, columns.episode, cells))
    else:
        ends = np.zeros(n, dtype=bool)
        if isinstance(columns.truncated, str):
            ends |= flags(table, columns.truncated, cells, np.ones(n, dtype=bool))
        if columns.episode is None and isinstance(columns.terminated, str):
            ends |= flags(table, columns.terminated, cells, np.ones(n, dtype=bool))
        starts = np.flatnonzero(np.append(True, ends[:-1])).astype(np.int64)
    marked = columns.episode is not None or isinstance(columns.truncated, str)
    if isinstance(columns.time, str) and marked:
        check_even_times(table, columns.time, single(table, columns.time, cells), starts)
    return starts


def _final_rows(columns: Columns, action: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows that hold final observations only, bool `(n,)`."""
    last = np.append(starts[1:], len(action)) - 1
    final = np.zeros(len(action), dtype=bool)
    empty = action.dtype.kind == "f" and bool(np.isnan(action[last]).all())
    may_be = columns.episode is not None and not columns.next_obs
    if columns.final_rows or (columns.final_rows is None and may_be and empty):
        final[last] = True
    return final


def _steps(
    table: Table,
    columns: Columns,
    cells: Cells,
    action: NDArray[Any],
    starts: NDArray[np.int64],
    final: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """The arrays that `transitions_from_arrays` takes, without final rows."""
    everywhere, kept = np.ones(len(final), dtype=bool), ~final
    check_matrix(table, columns.obs, cells, everywhere)
    check_matrix(table, columns.action, cells, kept)
    obs = matrix(table, columns.obs, cells)
    rows = np.flatnonzero(kept)
    if len(rows) == 0:
        raise DatasetError(f"{table.source} holds final observations only, no step before them.")
    steps = {
        "obs": obs[kept],
        "actions": action[kept],
        "rewards": rewards(table, columns, cells, kept)[kept],
    }
    for key in ("terminated", "truncated"):
        name = getattr(columns, key)
        if isinstance(name, str):
            marked = flags(table, name, cells, kept)
            marked[:-1] |= marked[1:] & final[1:]
            steps[key] = marked[kept]
    steps.setdefault("terminated", np.zeros(len(rows), dtype=bool))
    if columns.next_obs:
        check_matrix(table, columns.next_obs, cells, everywhere)
        steps["next_obs"] = matrix(table, columns.next_obs, cells)
    elif final.any():
        steps["next_obs"] = obs[rows + 1]
    if columns.episode is not None:
        episode = np.searchsorted(starts, rows, side="right")
        steps["episode_starts"] = np.unique(episode, return_index=True)[1].astype(np.int64)
    return steps


def _warn_of_terminations(table: Table, columns: Columns, steps: Cells) -> None:
    if columns.terminated is None:
        warnings.warn(
            f"{table.source}: nothing says which steps ended the MDP, so none did. Name the column, "
            "columns={'terminated': ...}, or say columns={'terminated': False} if that is right.",
            stacklevel=3,
        )
    if "episode_starts" not in steps:
        return
    inside = np.ones(len(steps["obs"]), dtype=bool)
    inside[np.append(steps["episode_starts"][1:], len(inside)) - 1] = False
    early = int((steps["terminated"] & inside).sum())
    if early:
        warnings.warn(
            f"{table.source}: {early} steps terminate in the middle of an episode, which is split there. "
            f"Mark only the end of the MDP in column {columns.terminated!r}.",
            stacklevel=3,
        )
