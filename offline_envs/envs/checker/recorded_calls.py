"""`play`: steps of any vector environment, with an immediate copy of everything that was returned."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from offline_envs.mdp import RESET_MASK

RETURNED = ("obs", "rewards", "terminations", "truncations", "infos")
FLAGS = ("terminations", "truncations")


class Moment(NamedTuple):
    """One call of `reset` or `step`.

    Attributes:
        call: `"reset"` or `"step"`.
        values: Its return values, by the names of `RETURNED`.
        copies: The same as NumPy copies, made immediately.
        restarts: Rows that the call had to restart, bool `(n,)`.
    """

    call: str
    values: dict[str, Any]
    copies: dict[str, Any]
    restarts: NDArray[np.bool_]

    @property
    def over(self) -> NDArray[np.bool_]:
        """Rows whose episode the call ended, bool `(n,)`."""
        if self.call == "reset":
            return np.zeros_like(self.restarts)
        return np.asarray(self.copies["terminations"] | self.copies["truncations"])


def play(
    env: VectorEnv[Any, Any, Any],
    actions: Sequence[Any],
    *,
    seed: int,
    other_actions: Sequence[Any] | None = None,
    spoil: bool = False,
) -> Iterator[Moment]:
    """Reset `env` and step it; where nothing restarts by itself, restart finished rows by mask.

    Each call is yielded before its return values are used.

    Args:
        env: The environment.
        actions: Actions of every step, as its action space samples them.
        seed: Seed of the reset.
        other_actions: Replacement actions for the rows that restart at a step (next-step mode).
        spoil: Whether to overwrite everything that is returned.
    """
    last = _moment("reset", env.reset(seed=seed), np.ones(env.num_envs, np.bool_))
    yield last
    mode = env.metadata["autoreset_mode"]
    for i, action in enumerate(actions):
        if spoil:
            _spoil(last)
        restarts = last.over & (mode == AutoresetMode.NEXT_STEP)
        if other_actions is not None:
            action = _choose(restarts, other_actions[i], action)
        last = _moment("step", env.step(_like(action, last)), restarts)
        yield last
        if mode == AutoresetMode.DISABLED and last.over.any():
            last = masked_reset(env, last, last.over)
            yield last


def masked_reset(env: VectorEnv[Any, Any, Any], last: Moment, mask: NDArray[np.bool_]) -> Moment:
    """Reset the rows of `mask`, as the kind of array that the environment returned in `last`."""
    return _moment("reset", env.reset(options={RESET_MASK: mask_like(last, mask)}), mask)


def mask_like(moment: Moment, mask: NDArray[np.bool_]) -> Any:
    """A copy of `mask` as the kind of array that observations are."""
    first = (leaves(moment.values["obs"]) or [mask])[0]
    if isinstance(first, torch.Tensor):
        return torch.from_numpy(mask.copy()).to(first.device)
    return mask.copy()


def row_of(tree: Any, row: int) -> Any:
    """One row of a batch of observations, which may be nested."""
    if isinstance(tree, dict):
        return {name: row_of(value, row) for name, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(row_of(value, row) for value in tree)
    return tree[row]  # also for an array of objects, in which Gymnasium keeps final observations


def leaves(tree: Any) -> list[Any]:
    """Every array or tensor of a nested value."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in leaves(value)]
    if isinstance(tree, np.ndarray) and tree.dtype == object:
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree] if isinstance(tree, np.ndarray | torch.Tensor) else []


def to_numpy(tree: Any) -> Any:
    """A nested value with copied NumPy arrays for its arrays and tensors."""
    if isinstance(tree, dict):
        return {name: to_numpy(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map(to_numpy, tree))
    if isinstance(tree, torch.Tensor):
        return tree.detach().cpu().numpy().copy()
    if isinstance(tree, np.ndarray):
        return copy.deepcopy(tree) if tree.dtype == object else tree.copy()
    return tree


def equal(a: Any, b: Any) -> bool:
    """Whether two nested values of arrays hold the same numbers; NaN equals NaN."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def _moment(call: str, returned: tuple[Any, ...], restarts: NDArray[np.bool_]) -> Moment:
    names = RETURNED if call == "step" else ("obs", "infos")
    values = dict(zip(names, returned, strict=True))
    return Moment(call, values, to_numpy(values), restarts)


def _like(action: Any, moment: Moment) -> Any:
    """The action as tensors, if observations are tensors."""
    first = (leaves(moment.values["obs"]) or [None])[0]
    if isinstance(first, torch.Tensor) and isinstance(action, np.ndarray):
        return torch.tensor(action, device=first.device)
    return copy.deepcopy(action)


def _choose(rows: NDArray[np.bool_], other: Any, action: Any) -> Any:
    if not isinstance(action, np.ndarray):
        return action
    return np.where(rows.reshape(-1, *[1] * (action.ndim - 1)), other, action)


def _spoil(moment: Moment) -> None:
    for leaf in leaves([moment.values[name] for name in moment.values if name != "infos"]):
        if isinstance(leaf, torch.Tensor):
            leaf.fill_(7)
        elif leaf.flags.writeable:
            leaf[...] = 7
