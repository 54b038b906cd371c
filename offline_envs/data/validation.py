"""Checks of a dataset, with errors that say which rule it breaks, where and how often."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from numpy.typing import NDArray

from offline_envs.data.health.actions import DISCRETE, warn_of_odd_actions
from offline_envs.data.spaces.columns import n_columns
from offline_envs.data.spaces.discrete import (
    DiscreteSpace,
    discrete_space,
    from_one_hot,
    one_hot,
    one_hot_box,
)
from offline_envs.data.spaces.observations import ObsSpace, known_dict
from offline_envs.data.spaces.rounding import with_rounding
from offline_envs.data.transitions import TENSOR_FIELDS, Transitions
from offline_envs.errors import DatasetError

FLOAT_FIELDS = ("obs", "actions", "rewards", "next_obs")


def check_transitions(transitions: Transitions, *, min_size: int = 1) -> None:
    """Refuse transitions that no model should be learned from.

    Raises:
        DatasetError: Too few rows, wrong types, shapes that disagree, NaN or infinity, actions outside the
            space, or episodes that are empty or out of order.

    Warns:
        UserWarning: See `warn_of_odd_actions`.
    """
    source = transitions.source
    _check_tensors(transitions)
    fields = {name: getattr(transitions, name).numpy() for name in TENSOR_FIELDS}
    starts = fields.pop("episode_starts")
    check_shapes(source, fields)
    check_size(source, len(transitions), min_size)
    _check_history(transitions)
    check_episode_starts(source, starts, len(transitions))
    check_infos(source, {key: value.numpy() for key, value in transitions.infos.items()}, len(transitions))
    for name in FLOAT_FIELDS:
        check_finite(source, name, fields[name], starts)
    check_actions(source, fields["actions"], transitions.action_space)
    _check_one_hot(transitions)
    _check_obs_space(transitions)
    warn_of_odd_actions(transitions)


def _check_tensors(transitions: Transitions) -> None:
    types = {"terminated": "torch.bool", "episode_starts": "torch.int64"}
    for name in TENSOR_FIELDS:
        tensor, wanted = getattr(transitions, name), types.get(name, "torch.float32")
        if str(tensor.dtype) != wanted or tensor.device.type != "cpu" or tensor.requires_grad:
            raise DatasetError(
                f"{transitions.source}: {name} must be {wanted} on the CPU without a gradient, received "
                f"{tensor.dtype} on {tensor.device}{', which requires one' * tensor.requires_grad}."
            )


def _check_history(transitions: Transitions) -> None:
    if transitions.history > 1 and transitions.layout.size != transitions.obs_dim:
        raise DatasetError(
            f"{transitions.source}: observations with a history of {transitions.history} hold so many "
            f"observations and the actions between them; {transitions.obs_dim} columns with "
            f"{transitions.action_dim} of an action cannot. with_history(...) makes them."
        )


def check_shapes(source: str, fields: Mapping[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not describe the same steps.

    Args:
        source: Where the arrays come from, for the message.
        fields: obs `(n, d)`, actions `(n, k)`, and any of rewards `(n,)`, next_obs `(n, d)` and flags `(n,)`.
    """
    shapes = ", ".join(f"{name} {values.shape}" for name, values in fields.items())
    rule = (
        "need obs (n, d), actions (n, k), next_obs (n, d) and every other field (n,), with d and k at least 1"
    )
    matrices = {"obs", "actions", "next_obs"}
    fit = all(
        values.ndim == (2 if name in matrices else 1) and 0 not in values.shape[1:]
        for name, values in fields.items()
    )
    fit = fit and len({len(values) for values in fields.values()}) == 1
    if not fit or ("next_obs" in fields and fields["next_obs"].shape != fields["obs"].shape):
        raise DatasetError(f"{source}: shapes disagree: {rule}; received {shapes}.")


def check_size(source: str, size: int, min_size: int) -> None:
    """Refuse a dataset of fewer than `min_size` steps."""
    if size < max(min_size, 1):
        raise DatasetError(f"{source} holds {size} transitions; at least {max(min_size, 1)} are needed.")


def check_episode_starts(source: str, starts: NDArray[Any], size: int) -> None:
    """Refuse starts unless they begin with 0 and ascend strictly below `size`, without empty episodes."""
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or len(starts) == 0 or starts[0] != 0:
        raise DatasetError(
            f"{source}: episode_starts must be a 1-D array of integers that begins with 0, "
            f"received {starts.dtype} {starts.shape} beginning with {np.atleast_1d(starts)[:3].tolist()}."
        )
    empty = np.flatnonzero(np.diff(np.append(starts.astype(np.int64), size)) <= 0)
    if len(empty):
        raise DatasetError(
            f"{source}: episode_starts must ascend and stay below the {size} rows, without empty episodes; "
            f"{len(empty)} of {len(starts)} break this, the first is episode {empty[0]} "
            f"at row {starts[empty[0]]}."
        )


def check_infos(source: str, infos: Mapping[str, NDArray[Any]], size: int) -> None:
    """Refuse per-step infos that do not have one row per step."""
    for name, values in infos.items():
        if values.ndim == 0 or len(values) != size:
            raise DatasetError(
                f"{source}: infos must have one row per step ({size}), {name!r} has shape {values.shape}."
            )


def check_finite(
    source: str, name: str, values: NDArray[Any], starts: NDArray[np.int64] | None = None
) -> None:
    """Refuse NaN and infinity, naming the field, the first bad row and the number of bad rows.

    Args:
        source: Where the values come from, for the message.
        name: Name of the field, for the message.
        values: Any shape `(n, ...)`.
        starts: First row of every episode `(e,)`, to name the episode.
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    bad = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
    row = int(bad[0])
    first = np.atleast_1d(values[row])[~np.atleast_1d(finite[row])][0]
    raise DatasetError(
        f"{source}: {name} must be finite as float32; {len(bad)} of {len(values)} rows hold NaN or infinity, "
        f"the first is row {row}{_episode_of(row, starts)} with {first}."
    )


def check_actions(source: str, actions: NDArray[np.float32], space: Box) -> None:
    """Refuse actions outside the space by more than float rounding; nothing is ever clipped."""
    if space.shape != actions.shape[1:]:
        raise DatasetError(
            f"{source}: actions have {actions.shape[1]} dimensions, but the action space is {space}. "
            "Pass the right env_id= or action_space=."
        )
    low, high = with_rounding(space.low, space.high)
    outside = ((actions < low) | (actions > high)).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise DatasetError(
            f"{source}: {int(outside.sum())} of {len(actions)} actions lie outside {space}, "
            f"the first in row {row}: {actions[row].tolist()}. Nothing is clipped. "
            "Pass the action space of the data by env_id= or action_space=." + DISCRETE * _are_whole(actions)
        )


def _check_one_hot(transitions: Transitions) -> None:
    """Refuse one-hot numbers of other discrete actions than the space's."""
    space = transitions.discrete_actions
    if space is None:
        return
    actions = transitions.actions
    fit = transitions.action_space == one_hot_box(space)
    if not fit or not torch.equal(one_hot(space, from_one_hot(space, actions)), actions):
        raise DatasetError(
            f"{transitions.source}: actions of {space} must be one-hot numbers in {one_hot_box(space)}. Give "
            "arrays of the actions as they were recorded, with action_space=."
        )


def _check_obs_space(transitions: Transitions) -> None:
    space, size = transitions.obs_space, transitions.newest.obs_dim
    if space is not None and n_columns(space) != size:
        raise DatasetError(
            f"{transitions.source}: observations have {size} columns, but obs_space is {space}."
        )


def _are_whole(actions: NDArray[np.float32]) -> bool:
    return bool((actions == np.round(actions)).all())


def flat_box(source: str, role: str, space: Space[Any] | None) -> Box:
    """Return `space` if it is a Box with one axis, otherwise refuse it.

    Args:
        source: Where the space comes from, for the message.
        role: `"observation"` or `"action"`.
        space: The space to check.
    """
    if not isinstance(space, Box) or len(space.shape) != 1:
        or_dict = ", or a Dict of such Boxes" if role == "observation" else ""
        remedy = (
            "Flatten it, e.g. by gymnasium.wrappers.FlattenObservation, before collecting the data"
            if role == "observation"
            else "Actions must be a Box, a Discrete or a MultiDiscrete"
        )
        raise DatasetError(
            f"{source}: the {role} space must be a Box with one axis{or_dict}, received {space}. {remedy}."
        )
    return space


def known_obs_space(source: str, space: Space[Any] | None) -> ObsSpace:
    """Return an observation space that a model can be learned for: a Box with one axis, or a Dict of Boxes.

    Raises:
        DatasetError: See `flat_box` and `checked_dict`.
    """
    nested = known_dict(source, space)
    return flat_box(source, "observation", space) if nested is None else nested


def known_action_space(source: str, space: Space[Any] | None) -> Box | DiscreteSpace:
    """Return an action space that a model can be learned for: a float32 Box with one axis, or a discrete one.

    Raises:
        DatasetError: See `float_action_box` and `discrete_space`.
    """
    discrete = discrete_space(source, space)
    return float_action_box(source, space) if discrete is None else discrete


def float_action_box(source: str, space: Space[Any] | None) -> Box:
    """Return an action space as a float32 Box with one axis.

    Raises:
        DatasetError: The space is not such a Box, not of real numbers, or has a dimension whose bounds are
            equal, NaN, or finite but too far apart for float32: agents' actions cannot be scaled to it.
    """
    box = flat_box(source, "action", space)
    if not np.issubdtype(box.dtype, np.floating):
        raise DatasetError(f"{source}: actions must be real numbers, received the action space {space}.")
    bounded = np.isfinite(box.low) & np.isfinite(box.high)
    with np.errstate(over="ignore"):
        low, high = box.low.astype(np.float32), box.high.astype(np.float32)
        bad = np.flatnonzero(~(low < high) | (bounded & ~np.isfinite(high - low)))
    if len(bad):
        first = bad[0]
        raise DatasetError(
            f"{source}: in every dimension of the action space low must lie below high, at a distance "
            f"that float32 can hold; dimension {first} has low {box.low[first]} and high {box.high[first]}. "
            "Pass another action_space=, or leave out a dimension that never changes."
        )
    return Box(low, high, dtype=np.float32)


def real_array(source: str, name: str, values: Any) -> NDArray[Any]:
    """Return `values` as an array of real numbers; a tensor's gradients are left behind.

    Raises:
        DatasetError: They are objects, text or complex numbers, or some of them are masked.
    """
    try:
        array = np.asarray(values.detach() if isinstance(values, torch.Tensor) else values)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of different lengths, a tensor on a GPU
        raise DatasetError(f"{source}: {name} is not an array: {error}") from error
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise DatasetError(
            f"{source}: {name} must be an array of numbers, "
            f"received dtype {array.dtype} and shape {array.shape}."
        )
    masked = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else np.False_
    if masked.any():
        rows = masked.reshape(len(array), -1).any(axis=1)
        raise DatasetError(
            f"{source}: {name} must have no masked values; {int(rows.sum())} of {len(array)} rows have some, "
            f"the first is row {int(np.argmax(rows))}. Leave those rows out, or fill them by filled()."
        )
    return array


def float32(array: NDArray[Any], *, copy: bool = True) -> NDArray[np.float32]:
    """Return contiguous float32; values too large become infinite, which `check_finite` reports.

    Args:
        array: Any real numbers.
        copy: Whether to copy even an array that already is contiguous float32.
    """
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float32, order="C", copy=copy or None)


def flags(source: str, name: str, array: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a boolean copy, or refuse values that are neither 0 nor 1."""
    other = (array != 0) & (array != 1)
    if other.any():
        row = int(np.argmax(other.reshape(len(array), -1).any(axis=1)))
        raise DatasetError(f"{source}: {name} must hold 0 or 1, row {row} holds {array[row]}.")
    return np.array(array, dtype=np.bool_)


def _episode_of(row: int, starts: NDArray[np.int64] | None) -> str:
    if starts is None:
        return ""
    episode = int(np.searchsorted(starts, row, side="right")) - 1
    return f" (episode {episode}, step {row - int(starts[episode])})"
