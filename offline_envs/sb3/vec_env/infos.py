"""`VectorInfos`: the infos of one step of many environments, with their source arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRUNCATED_KEY = "TimeLimit.truncated"
"""SB3's name for "truncated and not terminated" in a row's info."""


class VectorInfos(list[dict[str, Any]]):
    """SB3's list of one dict a row, at no cost for rows whose episode continues.

    **Rows whose episode continues share one dict**, a new one at each step: writing into one of them writes
    into all. Copy a row's dict before changing it, as SB3's own wrappers do. Rows whose episode ended have a
    dict of their own.

    Attributes:
        dones: Whether the row's episode ended at this step, bool `(n,)`.
        truncated: Whether it was cut without an end of the MDP (truncated and not terminated), bool `(n,)`.
        final_obs: True last observations of the rows in `dones`, in order, `(dones.sum(), *obs_shape)`, or a
            list of several by name.
        arrays: The original infos of the vector environment, one array for all rows.
    """

    def __init__(
        self,
        dones: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        final_obs: Any,
        arrays: Mapping[str, Any],
    ) -> None:
        super().__init__([{TRUNCATED_KEY: False}] * len(dones))
        self.dones = dones
        self.truncated = truncated
        self.final_obs = final_obs
        self.arrays = arrays

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.dones, self.truncated, self.final_obs, self.arrays)
        return _restored, (list(self), *parts)

    def add_ended(self, returns: NDArray[np.float64], lengths: NDArray[np.int64], seconds: float) -> None:
        """Give every ended row its own dict: last observation, truncation flag and episode statistics.

        Args:
            returns: Undiscounted return of the current episode of every row, `(n,)`.
            lengths: Number of its steps, `(n,)`.
            seconds: Seconds since the environments were made.
        """
        rows = np.flatnonzero(self.dones)
        final_info = self.arrays.get("final_info", {})
        columns = (self.truncated[rows].tolist(), returns[rows].tolist(), lengths[rows].tolist())
        for row, last_obs, truncated, total, length in zip(
            rows.tolist(), self.final_obs, *columns, strict=True
        ):
            self[row] = info_of_row(final_info, row) if final_info else {}
            self[row][TRUNCATED_KEY] = truncated
            self[row]["terminal_observation"] = last_obs
            self[row]["episode"] = {"r": total, "l": length, "t": seconds}


def _restored(rows: list[dict[str, Any]], *parts: Any) -> VectorInfos:
    infos = VectorInfos(*parts)
    infos[:] = rows
    return infos


def info_of_row(arrays: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Read one row of Gymnasium's vector infos, an array for each key and its mask under `_key`.

    Args:
        arrays: Infos of a vector environment; values may be mappings of the same kind.
        row: Index of the sub-environment.

    Returns:
        The entries that the mask does not exclude; a scalar holds for every row.
    """
    info: dict[str, Any] = {}
    for key, value in arrays.items():
        mask = arrays.get(f"_{key}")
        if key.startswith("_") or (mask is not None and not mask[row]):
            continue
        if isinstance(value, Mapping):
            info[key] = info_of_row(value, row)
        else:
            info[key] = value if np.ndim(value) == 0 else value[row]
    return info
