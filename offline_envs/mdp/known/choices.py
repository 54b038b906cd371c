"""`resolve_known`: the settings `known` and `reward` of an environment, checked against the dataset."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp.known.history import moved_past, of_newest
from offline_envs.mdp.known.known import Known, KnownColumns, Part, StepFunction, rewards_of
from offline_envs.mdp.known.replay import Replay

KEPT, REPLAYED = "kept", "replayed"
"""What a column may be, besides a function: its value stays, or follows the dataset."""

KnownChoice = Mapping[Any, Any] | KnownColumns
"""Column → function, `"kept"` or `"replayed"`; or an object with `columns` that computes several together."""

CHUNK = 100_000

TOLERANCE = 1e-3
"""Largest difference from a recorded value, in deviations of its column, that counts as equal."""

LEAST_AGREEMENT = 0.99
"""Share of the dataset's rows on which a known column has to be right."""


def resolve_known(
    known: KnownChoice | None,
    reward: StepFunction | None,
    transitions: Transitions,
    *,
    device: str | torch.device,
) -> Known | None:
    """Turn the settings of an environment into what is known of its steps; None if nothing is.

    Columns and functions are about recorded observations: of data with a history, about the newest. How the
    older ones move is known in addition.

    Args:
        known: See `KnownChoice`.
        reward: The reward function, or None for a learned reward.
        transitions: The dataset, whose recorded values the columns are compared with.
        device: Where the functions will be used.

    Warns:
        UserWarning: A column by formula differs from what was recorded.

    Raises:
        SettingsError: Columns that do not exist or are given twice, another choice, or a function that
            returns something else than it should.
    """
    given = None if reward is None else of_newest(reward, transitions)
    past = moved_past(transitions, device=device)
    if known is None or known == {}:
        return None if given is None and not past else Known(past, reward=given)
    parts, replayed = _parts(known, transitions.newest.obs_dim)
    columns = [column for names, _ in parts for column in names] + replayed
    if len(set(columns)) < len(columns):
        raise SettingsError(f"A column of known must be given once, got {sorted(columns)}.")
    own = tuple(
        Part(names, torch.tensor(names, device=device), of_newest(function, transitions))
        for names, function in parts
    )
    for part in own:
        _compare(part, transitions, device)
    replay = Replay.of(transitions, replayed, device=device) if replayed else None
    return Known((*past, *own), replay, given)


def with_reward(
    transitions: Transitions, reward: StepFunction | None, *, device: str | torch.device
) -> Transitions:
    """The dataset with the rewards of a function, which set the guard's and a halt's reward.

    Raises:
        SettingsError: The function returns something else than one finite number a row.
    """
    if reward is None:
        return transitions
    reward = of_newest(reward, transitions)
    with torch.no_grad():  # the function may be a network
        found = torch.cat([rewards_of(reward, *chunk).cpu() for _, chunk in _chunks(transitions, device)])
    broken = int((~found.isfinite()).sum())
    if broken:
        raise SettingsError(
            f"The reward function must be finite on the dataset, got {broken} of {len(found)} rows that are "
            "not."
        )
    return replace(transitions, rewards=found)


def _parts(known: KnownChoice, obs_dim: int) -> tuple[list[tuple[tuple[int, ...], StepFunction]], list[int]]:
    """Columns and function of each part, and the columns that are replayed."""
    if not isinstance(known, Mapping):
        return [(tuple(_column(column, obs_dim) for column in known.columns), known)], []
    parts: list[tuple[tuple[int, ...], StepFunction]] = []
    replayed: list[int] = []
    for name, choice in known.items():
        column = _column(name, obs_dim)
        if callable(choice):
            parts.append(((column,), choice))
        elif choice == KEPT:
            parts.append(((column,), _Kept(column)))
        elif choice == REPLAYED:
            replayed.append(column)
        else:
            raise unknown_name("known column", choice, (KEPT, REPLAYED, "a function"))
    return parts, replayed


class _Kept:
    """A column whose value stays."""

    def __init__(self, column: int) -> None:
        self.column = column

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        del action, next_obs  # Unused.
        return obs[:, self.column]


def _column(name: Any, obs_dim: int) -> int:
    """A column's number; JSON has only texts as names."""
    text = str(name)
    if isinstance(name, bool) or not text.isdecimal() or int(text) >= obs_dim:
        raise SettingsError(f"A column of known must be from 0 to {obs_dim - 1}, got {name!r}.")
    return int(text)


def _chunks(
    transitions: Transitions, device: str | torch.device
) -> Iterator[tuple[slice, tuple[Tensor, Tensor, Tensor]]]:
    """Rows and their (obs, action, next_obs) on the device, a slice at a time."""
    for start in range(0, len(transitions), CHUNK):
        rows = slice(start, start + CHUNK)
        fields = (transitions.obs, transitions.actions, transitions.next_obs)
        obs, action, next_obs = (field[rows].to(device) for field in fields)
        yield rows, (obs, action, next_obs)


def _compare(part: Part, transitions: Transitions, device: str | torch.device) -> None:
    recorded = transitions.next_obs[:, list(part.columns)]
    near = TOLERANCE * recorded.double().std(dim=0, correction=0).clamp(min=1e-12)
    wrong = 0
    for rows, chunk in _chunks(transitions, device):
        apart = (part.values(*chunk).cpu().double() - recorded[rows].double()).abs()
        wrong += int((~(apart <= near)).any(dim=1).sum())
    if wrong > (1 - LEAST_AGREEMENT) * len(transitions):
        names = ", ".join(map(str, part.columns))
        warnings.warn(
            f"Known columns {names} differ from the recorded next observations in {wrong} of "
            f"{len(transitions)} rows of {transitions.source}. Check the numbers of the columns and known=.",
            stacklevel=2,
        )
