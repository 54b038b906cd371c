"""Concatenation of datasets."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data.spaces.observations import ObsSpace
from offline_envs.data.transitions import Transitions
from offline_envs.errors import DatasetError


def concatenate(parts: Sequence[Transitions]) -> Transitions:
    """Join transitions in the order given; episodes are neither cut nor merged.

    The environment is kept if all parts name the same one, with the longest time limit of any part, and
    unknown if any part names none. Infos are kept if all parts have them, metadata if all parts agree on
    them. Bounds of actions that every part takes from its data, as a table does without others, become those
    of all data.

    Args:
        parts: At least one; all with the same dimensions and, but for such bounds, the same action space.

    Raises:
        DatasetError: No parts, or parts that cannot be from one environment.

    Warns:
        UserWarning: Time limits differ, or infos are left out.
    """
    if not parts:
        raise DatasetError("Cannot concatenate an empty list of datasets; give at least one.")
    if len(parts) == 1:
        return parts[0]
    _check_same_dimensions(parts)
    observed = frozenset.intersection(*(part.observed_bounds for part in parts))
    action_space = _same_action_space(parts, observed)
    spec, recorded_spec = _same_env_spec(parts)
    offsets = torch.tensor([0] + [len(part) for part in parts[:-1]]).cumsum(0)
    starts = [part.episode_starts + offset for part, offset in zip(parts, offsets, strict=True)]
    return Transitions(
        obs=torch.cat([part.obs for part in parts]),
        actions=torch.cat([part.actions for part in parts]),
        rewards=torch.cat([part.rewards for part in parts]),
        next_obs=torch.cat([part.next_obs for part in parts]),
        terminated=torch.cat([part.terminated for part in parts]),
        episode_starts=torch.cat(starts),
        action_space=action_space,
        env_spec=spec,
        recorded_env_spec=recorded_spec,
        infos=_shared_infos(parts),
        source=" + ".join(part.source for part in parts),
        metadata=_shared_metadata(parts),
        history=parts[0].history,
        discrete_actions=parts[0].discrete_actions,
        obs_space=_same_obs_space(parts),
        flat_obs=all(part.flat_obs for part in parts),
        observed_bounds=observed,
    )


def _check_same_dimensions(parts: Sequence[Transitions]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if (part.obs_dim, part.action_dim) != (first.obs_dim, first.action_dim):
            raise DatasetError(
                "Datasets to concatenate must have the same dimensions: "
                f"{first.source} has obs {first.obs_dim}, actions {first.action_dim}; "
                f"{part.source} has obs {part.obs_dim}, actions {part.action_dim}."
            )
        if part.history != first.history:
            raise DatasetError(
                "Datasets to concatenate must have the same history: "
                f"{first.source} has {first.history}; {part.source} has {part.history}."
            )


def _same_action_space(parts: Sequence[Transitions], observed: frozenset[str]) -> Box:
    """The space of all parts, whose observed bounds reach as far as any part's."""
    low = np.min([part.action_space.low for part in parts], axis=0)
    high = np.max([part.action_space.high for part in parts], axis=0)
    first, *others = (_widened(part.action_space, low, high, observed) for part in parts)
    for part, space in zip(parts[1:], others, strict=True):
        if (space, part.discrete_actions) != (first, parts[0].discrete_actions):
            raise DatasetError(
                "Datasets to concatenate must have the same action space: "
                f"{parts[0].source} has {parts[0].discrete_actions or parts[0].action_space}; "
                f"{part.source} has {part.discrete_actions or part.action_space}. Name their environment by "
                "env_id=, or give all tables the same bounds, "
                "columns={'action_low': ..., 'action_high': ...}; load_transitions also takes action_space=."
            )
    return first


def _widened(space: Box, low: NDArray[Any], high: NDArray[Any], observed: frozenset[str]) -> Box:
    if not observed:
        return space
    lowest = low if "low" in observed else space.low
    return Box(lowest, high if "high" in observed else space.high, dtype=np.float32)


def _same_obs_space(parts: Sequence[Transitions]) -> ObsSpace | None:
    """The space of the observations; None, which has no bounds, where boxes differ."""
    first = parts[0].obs_space
    if all(part.obs_space == first for part in parts):
        return first
    spaces = [part.obs_space for part in parts]
    if any(isinstance(space, Dict) for space in spaces):
        raise DatasetError(
            f"Datasets to concatenate must have the same Dict of observations, received {spaces}. Give "
            "observations of the same parts by name; where only their bounds differ, env_id= says which hold."
        )
    return None


def _same_env_spec(parts: Sequence[Transitions]) -> tuple[EnvSpec | None, EnvSpec | None]:
    """The environment and the recorded one of the part with the longest time limit."""
    known = {_describe(part.env_spec) for part in parts if part.env_spec is not None}
    if len(known) > 1:
        raise DatasetError(
            f"Datasets to concatenate name different environments: {', '.join(sorted(known))}. "
            "Pass env_id= to say which one they are all for."
        )
    if any(part.env_spec is None for part in parts):
        return None, None
    longest = max(parts, key=_time_limit)
    limits = sorted({*map(_time_limit, parts)})
    if len(limits) > 1:
        warnings.warn(
            f"Datasets to concatenate name {longest.env_id} with different time limits (max_episode_steps): "
            f"{', '.join(f'{limit:g}' for limit in limits)}. The longest is taken, {limits[-1]:g}. To choose "
            "one, pass a specification with its limit as env_id=.",
            stacklevel=3,
        )
    return longest.env_spec, longest.recorded_env_spec


def _time_limit(part: Transitions) -> float:
    limit = None if part.env_spec is None else part.env_spec.max_episode_steps
    return math.inf if limit is None else limit


def _describe(spec: EnvSpec) -> str:
    wrappers = [f"{wrapper.name} {wrapper.kwargs or ''}".strip() for wrapper in spec.additional_wrappers]
    keywords = f" {dict(sorted(spec.kwargs.items()))}" if spec.kwargs else ""
    return f"{spec.id}{keywords}{' in ' * bool(wrappers)}{', '.join(wrappers)}"


def _shared_metadata(parts: Sequence[Transitions]) -> dict[str, Any]:
    """Metadata that all parts agree on."""
    first, *others = (part.metadata for part in parts)
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }


def _shared_infos(parts: Sequence[Transitions]) -> dict[str, Tensor]:
    shapes = [{(name, values.shape[1:]) for name, values in part.infos.items()} for part in parts]
    shared = {name for name, _ in set.intersection(*shapes)}
    left_out = {name for part in parts for name in part.infos} - shared
    if left_out:
        warnings.warn(
            f"Infos {sorted(left_out)} are left out: not every dataset has them in the same shape.",
            stacklevel=3,
        )
    return {name: torch.cat([part.infos[name] for part in parts]) for name in sorted(shared)}
