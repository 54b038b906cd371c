"""Plain arrays as transitions: mappings, `.npz` archives and, through them, D4RL files."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from offline_envs.data.episodes import Fields, episode_ends, starts_of, with_known_successors
from offline_envs.data.health.precision import sampled_steps, warn_of_lost_steps
from offline_envs.data.infos import InfoRows
from offline_envs.data.spaces.observations import checked_dict, flatten_obs, unbounded_dict
from offline_envs.data.stored.npz import read_npz
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import (
    FLOAT_FIELDS,
    check_episode_starts,
    check_finite,
    check_shapes,
    check_size,
    flags,
    float32,
    real_array,
)
from offline_envs.errors import DatasetError

FIELD_NAMES: Mapping[str, tuple[str, ...]] = {
    "obs": ("obs", "observations"),
    "actions": ("actions",),
    "rewards": ("rewards",),
    "next_obs": ("next_obs", "next_observations"),
    "terminated": ("terminated", "terminals", "terminations"),
    "truncated": ("truncated", "timeouts", "truncations"),
    "episode_starts": ("episode_starts",),
}
"""The names that each field may have: this package's, D4RL's and Minari's."""

REQUIRED = ("obs", "actions", "rewards", "terminated")
FLAG_FIELDS = ("terminated", "truncated")
LOGGED = "infos/"
LOGGED_ACTION = "infos/action"
ABOUT = "metadata/"


def transitions_from_arrays(
    arrays: Mapping[str, Any],
    *,
    source: str = "Arrays",
    own: bool = False,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Transitions:
    """Build transitions from named arrays of one row per step.

    Without next observations the successor of a row is the next row's observation, and the last row of every
    episode is dropped, with its termination and a warning, because its successor is unknown.

    Args:
        arrays: obs or observations `(n, d)`, or arrays by name, a Dict; actions `(n, k)`, or integers `(n,)`;
            rewards `(n,)`; terminated, terminals or terminations `(n,)`. Optional: next_obs or
            next_observations, as obs; truncated, timeouts or truncations `(n,)`; episode_starts `(e,)`;
            `infos`, a mapping of arrays that came with next_obs; `infos/<name>`, as in D4RL, arrays that came
            with obs (shifted by one row, NaN where an episode ends), or with the action if the name begins
            with `action`. Anything else is ignored, with a warning.
        source: Where the arrays come from, for messages.
        own: Whether the caller gives up the arrays, so that they need not be copied.
        names: Names of the columns of `obs` and `actions`, for messages.

    Returns:
        Transitions with an action space of [−1, 1] and no environment; the caller replaces both where known.

    Raises:
        DatasetError: A field is missing, has the wrong type or shape, or is not finite, or the ends of
            episodes cannot be determined.
    """
    found = {name: arrays[given] for name, given in named_fields(source, arrays).items()}
    obs_space = _nested_space(source, found)
    raw = {
        name: real_array(source, name, _flat(source, name, values, obs_space))
        for name, values in found.items()
    }
    _warn_of_unknown(source, arrays)
    if (
        raw["actions"].ndim == 1 and raw["actions"].dtype.kind in "iu"
    ):  # choices; `action_space=` says among what
        raw["actions"] = raw["actions"][:, None]
    fields = {name: _converted(source, name, array, own) for name, array in raw.items()}
    steps = {name: values for name, values in fields.items() if name != "episode_starts"}
    check_shapes(source, steps)
    check_size(source, len(steps["obs"]), 1)
    for name in FLOAT_FIELDS:
        if name in steps:
            check_finite(source, name, steps[name])
    if "episode_starts" in fields:
        check_episode_starts(source, fields["episode_starts"], len(steps["obs"]))
    warn_of_lost_steps(source, sampled_steps(raw), names)
    ends = episode_ends(source, fields)
    infos = _infos(source, arrays, ends)
    starts = starts_of(ends)
    if "next_obs" not in fields:
        steps, starts, infos = with_known_successors(source, steps, infos, ends)
    return replace(_assemble(source, steps, starts, infos), obs_space=obs_space)


def transitions_from_npz(path: Path) -> Transitions:
    """Read an `.npz` archive of the arrays that `transitions_from_arrays` takes; nothing is unpickled.

    Raises:
        DatasetError: See `read_npz` and `transitions_from_arrays`.
    """
    return transitions_from_arrays(read_npz(path), source=f"Archive {str(path)!r}", own=True)


def _nested_space(source: str, fields: Mapping[str, Any]) -> Dict | None:
    """The Dict that observations given as arrays by name lie in; None if they are one array."""
    obs = fields["obs"]
    if not isinstance(obs, Mapping):
        return None
    return checked_dict(
        source, unbounded_dict({n: real_array(source, f"obs {n!r}", v) for n, v in obs.items()})
    )


def _flat(source: str, name: str, values: Any, space: Dict | None) -> Any:
    """Observations given by name as one array; other fields as they are."""
    if space is None or name not in ("obs", "next_obs"):
        return values
    if not isinstance(values, Mapping) or values.keys() != space.spaces.keys():
        raise DatasetError(f"{source}: {name} must be a mapping of {', '.join(space.spaces)}, as obs is.")
    parts = {part: real_array(source, f"{name} {part!r}", array) for part, array in values.items()}
    try:
        return flatten_obs(space, parts, (len(next(iter(parts.values()))),))
    except ValueError as error:
        shapes = {part: array.shape for part, array in parts.items()}
        raise DatasetError(
            f"{source}: the parts of {name} must have equally many rows, got {shapes}."
        ) from error


def named_fields(source: str, arrays: Mapping[str, Any]) -> dict[str, str]:
    """Find the name in `arrays` of every field that is there.

    Raises:
        DatasetError: A field is missing, or has two names.
    """
    named: dict[str, str] = {}
    for field, names in FIELD_NAMES.items():
        found = [name for name in names if name in arrays]
        if len(found) > 1:
            raise DatasetError(f"{source}: {field} is given more than once, as {', '.join(found)}.")
        if found:
            named[field] = found[0]
    missing = [" or ".join(FIELD_NAMES[field]) for field in REQUIRED if field not in named]
    if missing:
        raise DatasetError(
            f"{source} lacks {'; '.join(missing)}. Found: {', '.join(sorted(arrays)) or 'nothing'}."
        )
    return named


def _warn_of_unknown(source: str, arrays: Mapping[str, Any]) -> None:
    valid = {name for names in FIELD_NAMES.values() for name in names} | {"infos"}
    unknown = sorted(name for name in arrays if name not in valid and not name.startswith((LOGGED, ABOUT)))
    if unknown:
        warnings.warn(
            f"{source}: ignored {', '.join(unknown)}. Valid names: {', '.join(sorted(valid))}, {LOGGED}*.",
            stacklevel=2,
        )


def _converted(source: str, name: str, array: NDArray[Any], own: bool) -> NDArray[Any]:
    if name in FLAG_FIELDS:
        return flags(source, name, array)
    return np.array(array) if name == "episode_starts" else float32(array, copy=not own)


def _infos(source: str, arrays: Mapping[str, Any], ends: NDArray[np.bool_]) -> Fields:
    given = arrays.get("infos", {})
    if not isinstance(given, Mapping):
        raise DatasetError(f"{source}: infos must be a mapping of arrays, received {type(given).__name__}.")
    rows = InfoRows()
    rows.add({**given, **{name: arrays[name] for name in arrays if name.startswith(LOGGED)}}, len(ends))
    return {
        name.removeprefix(LOGGED): _came_with_next_obs(name, values, ends)
        for name, values in rows.arrays(source).items()
    }


def _came_with_next_obs(
    name: str, values: NDArray[np.float32], ends: NDArray[np.bool_]
) -> NDArray[np.float32]:
    if not name.startswith(LOGGED) or name.startswith(LOGGED_ACTION):
        return values
    shifted = np.roll(values, -1, axis=0)
    shifted[ends] = np.nan  # logged before the step, so what came after an episode's last step is unknown
    return shifted


def _assemble(source: str, steps: Fields, starts: NDArray[np.int64], infos: Fields) -> Transitions:
    return Transitions(
        obs=torch.from_numpy(steps["obs"]),
        actions=torch.from_numpy(steps["actions"]),
        rewards=torch.from_numpy(steps["rewards"]),
        next_obs=torch.from_numpy(steps["next_obs"]),
        terminated=torch.from_numpy(steps["terminated"]),
        episode_starts=torch.from_numpy(starts),
        action_space=Box(-1.0, 1.0, (steps["actions"].shape[1],)),
        infos={name: torch.from_numpy(values) for name, values in infos.items()},
        source=source,
    )
