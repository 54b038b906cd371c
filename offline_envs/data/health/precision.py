"""What float32 loses of a dataset, judged by the numbers before they are converted."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from offline_envs.data.health.findings import listed

N_BLOCKS = 20
BLOCK = 100
"""How many steps are looked at: so many in a row, at so many places spread over the dataset."""

LARGEST_ERROR = 0.1
"""Rounding error that is worth a warning, as a share of a step."""

LARGE_STEP = 0.9
"""Quantile of errors and steps that are compared: neither resets nor a machine at rest decide."""

NOISE = 1e-12
"""Steps of this share of a column's largest value are float64's own rounding and not missed."""


class Rows(Protocol):
    """An array, or one in a file, of which rows can be read."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


Steps = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Values before and after the same steps, `(m, c)` each."""


class LostColumn(NamedTuple):
    """A column whose steps float32 cannot hold.

    Attributes:
        column: Its index.
        share: Share of its steps that are 0 in float32 only.
    """

    column: int
    share: float


def loses_digits(dtype: DTypeLike) -> bool:
    """Whether some numbers of a type, such as float64 or int64, are rounded by float32."""
    return not np.can_cast(dtype, np.float32)


def sampled_steps(fields: Mapping[str, Rows]) -> dict[str, list[Steps]]:
    """Take samples of the steps in those of `fields` that float32 may round.

    Args:
        fields: Any of obs, actions, rewards and next_obs, of one length, not yet converted; others are not
            looked at.

    Returns:
        Steps from observations to their successors; for actions and rewards, to the next row.
    """
    steps: dict[str, list[Steps]] = {}
    for name in ("obs", "actions", "rewards"):
        if name in fields and loses_digits(fields[name].dtype):
            steps[name] = [_block(fields, name, start) for start in block_starts(len(fields[name]))]
    return steps


def block_starts(size: int) -> list[int]:
    """First rows of the blocks that are looked at among `size` rows."""
    return sorted({int(row) for row in np.linspace(0, max(0, size - BLOCK - 1), N_BLOCKS)})


def _block(fields: Mapping[str, Rows], name: str, start: int) -> Steps:
    rows = fields[name][start : start + BLOCK + 1].astype(np.float64)
    if name == "obs" and "next_obs" in fields:
        return rows, fields["next_obs"][start : start + BLOCK + 1].astype(np.float64)
    return rows[:-1], rows[1:]


def lost_columns(before: NDArray[np.float64], after: NDArray[np.float64]) -> list[LostColumn]:
    """Find the columns whose steps are mostly rounding error in float32.

    Args:
        before: Values before `m` steps, `(m, c)`; steps that are not finite in float32 are left out.
        after: Values after them, `(m, c)`.
    """
    fits = (np.abs([before, after]) <= np.finfo(np.float32).max).all(axis=(0, 2))
    before, after = before[fits], after[fits]
    steps = after - before
    kept = after.astype(np.float32).astype(np.float64) - before.astype(np.float32)
    found = []
    for column in np.flatnonzero((kept != steps).any(axis=0)):
        moving = steps[:, column] != 0
        true, rounded = steps[moving, column], kept[moving, column]
        error, large = np.quantile(np.abs([rounded - true, true]), LARGE_STEP, axis=1)
        noise = NOISE * np.abs(before[:, column]).max()
        if error > LARGEST_ERROR * large and large > noise:
            found.append(LostColumn(int(column), float(np.mean(rounded == 0))))
    return found


def warn_of_lost_steps(
    source: str, fields: Mapping[str, Iterable[Steps]], names: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Warn once of all columns whose steps float32 cannot hold.

    Args:
        source: Where the values come from, for the message.
        fields: Parts of the sampled steps of every field that was not float32; `(m, c)` or `(m,)` each.
        names: Names of the columns of fields, where they are known.
    """
    known = names or {}
    named = [text for name, parts in fields.items() for text in _lost_of(name, parts, known.get(name))]
    if named:
        warnings.warn(
            f"{source}: float32 is too coarse for the steps of {listed(named)}. "
            "Subtract an offset, such as the column's mean, before loading (and from what the policy "
            "observes), or leave the column out.",
            stacklevel=2,
        )


def _lost_of(name: str, parts: Iterable[Steps], names: Sequence[str] | None) -> list[str]:
    pairs = list(parts)
    before, after = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1)) if pairs else ((), ())
    if len(before) == 0:
        return []
    columns = lost_columns(np.reshape(before, (len(before), -1)), np.reshape(after, (len(after), -1)))

    def label(column: int) -> str:
        if names is not None:
            return names[column]
        return name if np.ndim(before) == 1 else f"{name} column {column}"

    return [f"{label(lost.column)} ({lost.share:.0%} become 0)" for lost in columns]
