"""Per-step infos of many episodes as flat arrays."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class InfoRows:
    """Collects infos episode by episode, and reports those that cannot be kept.

    An info is kept if it has one number, or one array of fixed shape, for every step of every episode.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[NDArray[np.float32]]] = {}
        self._left_out: set[str] = set()
        self._n_episodes = 0

    def add(self, infos: Mapping[str, Any] | None, length: int) -> None:
        """Add the infos of an episode.

        Args:
            infos: Arrays by name, of `length` rows, or of `length + 1` rows of which the first came with the
                reset. Nested mappings become names with slashes; masked values are unknown, NaN.
            length: Number of steps of the episode.
        """
        flat = dict(_flatten(infos or {}))
        for name, values in flat.items():
            rows = _per_step(values, length)
            if rows is None:
                self._left_out.add(name)
            else:
                self._rows.setdefault(name, []).append(rows)
        self._n_episodes += 1

    def arrays(self, source: str) -> dict[str, NDArray[np.float32]]:
        """Return every info that all steps have, float32 `(n, ...)`, and warn about the others."""
        regular = {
            name
            for name, rows in self._rows.items()
            if name not in self._left_out
            and len(rows) == self._n_episodes
            and len({r.shape[1:] for r in rows}) == 1
        }
        left_out = (self._left_out | self._rows.keys()) - regular
        if left_out:
            warnings.warn(
                f"{source}: infos {sorted(left_out)} are left out: "
                "not every step has numbers of the same shape for them.",
                stacklevel=2,
            )
        return {name: np.concatenate(self._rows.pop(name)) for name in sorted(regular)}


def _flatten(infos: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in infos.items():
        nested = isinstance(value, Mapping)
        pairs += _flatten(value, f"{prefix}{name}/") if nested else [(f"{prefix}{name}", value)]
    return pairs


def _per_step(values: Any, length: int) -> NDArray[np.float32] | None:
    if isinstance(values, torch.Tensor):
        values = values.detach()
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim == 0 or len(array) not in (length, length + 1):
        return None
    with np.errstate(over="ignore"):
        rows: NDArray[np.float32] = array[-length:].astype(np.float32)
    return rows.filled(np.nan) if isinstance(rows, np.ma.MaskedArray) else rows
