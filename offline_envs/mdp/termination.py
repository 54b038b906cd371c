"""Termination rules of learned environments, and their agreement with the dataset."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import fitted_termination
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp.known.history import of_newest
from offline_envs.tasks import TerminationRule, never, termination_rule

CHUNK = 100_000
LEAST_AGREEMENT = 0.9999


@dataclass(frozen=True)
class Agreement:
    """How a rule's terminations compare with those of a dataset.

    Attributes:
        rows: Number of rows compared.
        missed: Rows that the dataset calls terminated and the rule does not.
        invented: Rows that the rule calls terminated and the dataset does not.
    """

    rows: int
    missed: int
    invented: int

    @property
    def rate(self) -> float:
        """Share of rows on which both agree."""
        return 1 - (self.missed + self.invented) / self.rows


def agreement(
    rule: TerminationRule, transitions: Transitions, *, device: str | torch.device = "cpu"
) -> Agreement:
    """Compare `rule`, computed on `device`, with the terminations logged in `transitions`.

    Raises:
        SettingsError: The rule does not return one bool a row.
    """
    missed = invented = 0
    for start in range(0, len(transitions), CHUNK):
        rows = slice(start, start + CHUNK)
        logged = transitions.terminated[rows].to(device)
        arguments = (transitions.obs[rows], transitions.actions[rows], transitions.next_obs[rows])
        ended = ended_rows(rule(*(tensor.to(device) for tensor in arguments)), len(logged), device)
        missed += int((logged & ~ended).sum())
        invented += int((ended & ~logged).sum())
    return Agreement(len(transitions), missed, invented)


def ended_rows(found: Any, n: int, device: str | torch.device) -> Tensor:
    """What a rule returned, as a bool tensor `(n,)`.

    Raises:
        SettingsError: It is neither such a tensor nor such an array.
    """
    if isinstance(found, np.ndarray | np.generic):
        found = torch.as_tensor(found, device=device)
    if isinstance(found, Tensor) and found.shape == (n,) and found.dtype == torch.bool:
        return found
    got = f"{found.dtype} of shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)
    raise SettingsError(
        f"A termination rule must return a bool tensor of shape ({n},), or such an array, with one entry for "
        f"each row that it is given; got {got}."
    )


@dataclass(frozen=True)
class ArrayRule:
    """A termination rule that returns NumPy arrays, as one that returns tensors.

    Attributes:
        rule: The rule.
    """

    rule: Callable[[Tensor, Tensor, Tensor], Any]

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Terminal or not, bool `(B,)`, on the device of the observations."""
        return ended_rows(self.rule(obs, action, next_obs), len(obs), obs.device)


TERMINATIONS = ("auto", "never", "learned")
"""Valid values of `termination`, besides a function."""


def resolve_termination(
    option: str | TerminationRule,
    transitions: Transitions,
    *,
    device: str | torch.device,
    cache_dir: str | Path | None,
    progress: bool = True,
) -> TerminationRule:
    """Turn the `termination` setting of an environment into a rule, and check it against the dataset.

    Of data with a history, a rule sees the newest observations.

    Args:
        option: `"auto"` for the exact rule of the dataset's environment, `"never"`, `"learned"` for a
            classifier trained on the dataset, or a function of (obs, action, next_obs) tensors that returns
            a bool tensor or array `(B,)`.
        transitions: The dataset.
        device: Where the rule will be used.
        cache_dir: Folder of fitted models, or None for the user's cache.
        progress: Whether to say on standard error that a classifier is trained.

    Warns:
        UserWarning: The rule disagrees with the dataset on more than one row in 10 000.

    Raises:
        SettingsError: An unknown option, `"auto"` for an environment without a known rule, or a function that
            does not return one bool a row.
    """
    recorded = transitions.newest
    if callable(option):
        rule: TerminationRule = option if _gives_tensors(option, recorded, device) else ArrayRule(option)
    elif option == "auto":
        rule = _known_rule(transitions)
    elif option == "never":
        rule = never
    elif option == "learned":
        rule = fitted_termination(recorded, device=device, cache_dir=cache_dir, progress=progress)
    else:
        raise unknown_name("termination", option, (*TERMINATIONS, "a callable"))
    _warn_if_different(rule, recorded, device)
    return of_newest(rule, transitions)


def check_termination(option: str | TerminationRule, transitions: Transitions) -> None:
    """Refuse `"auto"` where no rule is known, before anything is fitted.

    Raises:
        SettingsError: See `resolve_termination`.
    """
    if option == "auto":
        _known_rule(transitions)


def _gives_tensors(rule: TerminationRule, transitions: Transitions, device: str | torch.device) -> bool:
    fields = (transitions.obs, transitions.actions, transitions.next_obs)
    return isinstance(rule(*(field[:1].to(device) for field in fields)), Tensor)


def _known_rule(transitions: Transitions) -> TerminationRule:
    valid = "termination='learned', 'never' or a function of (obs, action, next_obs)"
    if transitions.env_spec is None:
        raise SettingsError(
            f"{transitions.source} does not name its environment, so no termination rule is known. Pass "
            f"env_id=, or {valid}."
        )
    rule = termination_rule(transitions.env_spec)
    if rule is None:
        raise SettingsError(
            f"No termination rule is known for the environment {transitions.env_id!r} of "
            f"{transitions.source}. Pass {valid}."
        )
    return rule


def _warn_if_different(rule: TerminationRule, transitions: Transitions, device: str | torch.device) -> None:
    found = agreement(rule, transitions, device=device)
    if found.rate < LEAST_AGREEMENT:
        warnings.warn(
            f"The termination rule agrees with {found.rate:.2%} of the rows of {transitions.source}: "
            f"it misses {found.missed} of {int(transitions.terminated.sum())} terminations "
            f"and invents {found.invented}. Check env_id= and termination=.",
            stacklevel=2,
        )
