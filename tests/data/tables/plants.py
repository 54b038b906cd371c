"""A small table whose every number is known, in each of the forms that it may have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS: dict[str, Any] = {
    "obs": ["level", "flow"],
    "action": ["valve"],
    "reward": "gain",
    "episode": "batch",
    "terminated": "spilled",
}
"""What the columns of `rows` are."""


def rows(**changes: Any) -> dict[str, list[Any]]:
    """Batches of three and two steps with a final row each; the first spills at its end."""
    columns: dict[str, list[Any]] = {
        "batch": ["a", "a", "a", "a", "b", "b", "b"],
        "level": [0.5, 1.5, 2.5, 3.5, 10.0, 11.0, 12.0],
        "flow": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        "valve": [0.1, 0.2, 0.3, None, 0.4, -0.5, None],
        "gain": [1.0, 2.0, 3.0, None, 4.0, 5.0, None],
        "spilled": [0, 0, 1, 0, 0, 0, 0],
    }
    return {name: values for name, values in (columns | changes).items() if values is not None}


def as_arrays() -> dict[str, Any]:
    """The same steps as arrays."""
    return {
        "observations": np.array([[0.5, 1], [1.5, 2], [2.5, 3], [10, 5], [11, 6]]),
        "actions": np.array([[0.1], [0.2], [0.3], [0.4], [-0.5]]),
        "rewards": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        "next_observations": np.array([[1.5, 2], [2.5, 3], [3.5, 4], [11, 6], [12, 7]]),
        "terminals": np.array([False, False, True, False, False]),
        "timeouts": np.array([False, False, False, False, True]),
    }


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]], delimiter: str = ",") -> Path:
    """Write columns as CSV; None as an empty cell."""
    lines = [columns.keys(), *zip(*columns.values(), strict=True)]
    text = [delimiter.join("" if cell is None else str(cell) for cell in line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path
