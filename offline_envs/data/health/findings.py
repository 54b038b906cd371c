"""What a check of a dataset's health returns."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_NAMED = 8
"""Number of columns that a message names."""


@dataclass(frozen=True)
class Finding:
    """Result of one check of a dataset.

    Attributes:
        check: What was looked at, a row of `CHECKS`.
        problem: What was found and what to do about it; empty if the dataset passes.
    """

    check: str
    problem: str

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problem


def listed(names: Sequence[object]) -> str:
    """Join names by commas, with a count in place of the later ones of a long list."""
    shown = ", ".join(str(name) for name in names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
