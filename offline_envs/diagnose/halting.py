"""`Halting`: where a threshold on the disagreement would end imagined episodes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.diagnose.disagreement import halt_rate, thresholds
from offline_envs.diagnose.table import Row

MOST_DATA_HALTED = 0.01
"""Share of the data that a threshold may call unknown: what was seen is known."""

N_THRESHOLDS = 200


@dataclass(frozen=True)
class Halting:
    """Disagreement of all members over several sets of steps; the first is the data.

    Attributes:
        disagreement: Set of steps, in words → disagreement of each, `(m,)`.
        marks: β → threshold mean + β·std over the data.
    """

    disagreement: Mapping[str, Tensor]
    marks: Mapping[float, float]

    @classmethod
    def of(cls, disagreement: Mapping[str, Tensor]) -> "Halting":
        """Take the thresholds from the first set, the data."""
        return cls(disagreement, thresholds(next(iter(disagreement.values()))))

    def rates(self, threshold: float) -> dict[str, float]:
        """Share of each set's steps that a threshold would halt."""
        at = torch.tensor([threshold])
        return {source: float(halt_rate(values, at)) for source, values in self.disagreement.items()}

    def advised(self) -> float:
        """The smallest β that calls at most `MOST_DATA_HALTED` of the data unknown, else the largest."""
        data = next(iter(self.disagreement))
        fitting = [b for b, mark in self.marks.items() if self.rates(mark)[data] <= MOST_DATA_HALTED]
        return min(fitting) if fitting else max(self.marks)

    def grid(self) -> Tensor:
        """Thresholds from the smallest to the largest disagreement, evenly spaced in the logarithm."""
        everything = torch.cat(list(self.disagreement.values())).double()
        positive = everything[(everything > 0) & everything.isfinite()]
        low, high = (float(b.log10()) for b in positive.aminmax()) if len(positive) else (-6.0, 0.0)
        return torch.logspace(low, high, N_THRESHOLDS, dtype=torch.float64)

    def rows(self) -> list[Row]:
        """Halt rate against threshold as rows of a table, the marks first."""
        names = [*(f"mean + {beta:g} std" for beta in self.marks), *[""] * N_THRESHOLDS]
        at = torch.cat([torch.tensor(list(self.marks.values()), dtype=torch.float64), self.grid()])
        columns = {source: halt_rate(values, at).tolist() for source, values in self.disagreement.items()}
        return [
            {"threshold": threshold, "mark": name, **{s: column[row] for s, column in columns.items()}}
            for row, (threshold, name) in enumerate(zip(at.tolist(), names, strict=True))
        ]
