"""How much do the members disagree, and how often would each threshold halt imagined episodes?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from offline_envs.diagnose.base import Advice, Chapter, Row, Section
from offline_envs.diagnose.evidence import DATASET, Evidence
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save
from offline_envs.dynamics import DISAGREEMENTS, MAX_DISTANCE

TITLE = "How much do the members disagree, and how often does each threshold halt?"

BETAS = (0.0, 5.0, 10.0)
"""Multiples β of the deviation in the threshold mean + β·std over the data."""

MAX_DATA_HALTED = 0.01
"""Largest share of the data that a threshold may call unknown: recorded steps are known."""

MAX_HALTED = 0.5
"""Share of imagined steps above which a threshold raises a warning."""

N_THRESHOLDS = 200
N_BINS = 50
MIN_SHARE = 1e-4  # smallest halt rate that is drawn
MARK_STYLES = ("-", "--", ":")


@dataclass(frozen=True)
class Halting(Section):
    """Disagreement of all members over the data and over imagined steps.

    Attributes:
        data: Disagreement on each step of the data, `(m,)`.
        imagined: Set of imagined steps → disagreement on each up to `train_horizon`, `(m,)`.
        marks: β → threshold mean + β·std over the data.
        source: The imagined steps on which advice is based.
        train_horizon: Training horizon of a policy.
        name: Name of the disagreement, see `DISAGREEMENTS`.
    """

    data: Tensor
    imagined: Mapping[str, Tensor]
    marks: Mapping[float, float]
    source: str
    train_horizon: int
    name: str = MAX_DISTANCE

    @classmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Compare the disagreement on recorded and on imagined steps."""
        uncertainty, horizon = evidence.uncertainty, evidence.settings.train_horizon
        data = uncertainty[DATASET].disagreement
        imagined = {
            source: uncertainty[source].disagreement[steps.time <= horizon]
            for source, steps in evidence.imagined.items()
        }
        name = evidence.settings.disagreement
        return cls(data, imagined, thresholds(data), evidence.source, horizon, name)

    @property
    def formula(self) -> str:
        """What is compared with a threshold, and its unit."""
        return f"{DISAGREEMENTS[self.name].formula} in deviations of the data"

    @property
    def informative(self) -> bool:
        """Whether members disagree anywhere on the data; a single one does not."""
        return bool((self.data > 0).any())

    @property
    def notes(self) -> Sequence[str]:
        """That there is no disagreement, if so."""
        if self.informative:
            return ()
        return ("Members do not disagree anywhere on the data, as a single one cannot: nothing halts.",)

    @property
    def disagreement(self) -> dict[str, Tensor]:
        """Disagreement over all sets of steps by name, the data first."""
        return {DATASET: self.data, **self.imagined}

    def rates(self, threshold: float) -> dict[str, float]:
        """Share of each set's steps that a threshold would halt."""
        at = torch.tensor([threshold])
        return {source: float(halt_rate(values, at)) for source, values in self.disagreement.items()}

    def advised(self) -> float:
        """The smallest β that calls at most `MAX_DATA_HALTED` of the data unknown, else the largest."""
        fitting = [b for b, mark in self.marks.items() if self.rates(mark)[DATASET] <= MAX_DATA_HALTED]
        return min(fitting) if fitting else max(self.marks)

    def grid(self) -> Tensor:
        """Thresholds from the smallest to the largest disagreement, evenly spaced in the logarithm."""
        everything = torch.cat(list(self.disagreement.values())).double()
        positive = everything[(everything > 0) & everything.isfinite()]
        low, high = (float(b.log10()) for b in positive.aminmax()) if len(positive) else (-6.0, 0.0)
        return torch.logspace(low, high, N_THRESHOLDS, dtype=torch.float64)

    def rows(self) -> list[Row]:
        """Halt rate against threshold, the marks first."""
        names = [*(f"mean + {beta:g} std" for beta in self.marks), *[""] * N_THRESHOLDS]
        at = torch.cat([torch.tensor(list(self.marks.values()), dtype=torch.float64), self.grid()])
        columns = {source: halt_rate(values, at).tolist() for source, values in self.disagreement.items()}
        return [
            {"threshold": threshold, "mark": name, **{s: column[row] for s, column in columns.items()}}
            for row, (threshold, name) in enumerate(zip(at.tolist(), names, strict=True))
        ]

    def chapters(self) -> list[Chapter]:
        """One plot of the disagreement and of the halt rate against the threshold, if there is any."""
        if not self.informative:
            return []
        text = (
            f"How far the predictions of all members are apart, {self.formula}, over the data and over "
            f"imagined episodes up to step {self.train_horizon}. A threshold that halts almost nothing or "
            "almost everything is useless."
        )
        return [Chapter("disagreement", TITLE, text, lambda path: plot_halting(self, path), self.rows())]

    def advice(self) -> list[Advice]:
        """Advice on a threshold that halts little of the data, if there is any."""
        if not self.informative:
            return []
        beta = self.advised()
        threshold = self.marks[beta]
        rates = self.rates(threshold)
        shares = ", ".join(f"{rate:.2%} of {source}" for source, rate in rates.items())
        why = (
            f"The mean + {beta:g}·std of the disagreement of all members over the data, with the smallest β "
            f"of {', '.join(f'{b:g}' for b in self.marks)} that halts at most {MAX_DATA_HALTED:.0%} of the "
            f"data, or the largest if none does. It halts {shares}."
        )
        value, warning = f"{threshold:.3g} (mean + {beta:g}·std)", rates[self.source] > MAX_HALTED
        return [Advice("halting threshold", value, f"halts {shares}", why, warning=warning)]


def thresholds(disagreement: Tensor, betas: Sequence[float] = BETAS) -> dict[float, float]:
    """The thresholds mean + β·std of the disagreement over the data, `(m,)`, by β."""
    std, mean = torch.std_mean(disagreement.double(), correction=0)
    return {beta: float(mean + beta * std) for beta in betas}


def halt_rate(disagreement: Tensor, threshold: Tensor) -> Tensor:
    """Share of steps `(m,)` whose disagreement is above each threshold, `(t,)`, float64 `(t,)`."""
    ordered = disagreement.sort().values
    above = len(ordered) - torch.searchsorted(ordered, threshold.to(ordered), right=True)
    return above.double() / len(ordered)


def plot_halting(found: Halting, path: Path) -> None:
    """Draw the disagreement of each set of steps, and the share of steps that each threshold halts."""
    figure, (left, right) = panels(1, 2, TITLE, height=4.2)
    grid = found.grid()
    varied = bool(grid[-1] > grid[0])
    edges = np.geomspace(float(grid[0]), float(grid[-1]), N_BINS).tolist() if varied else N_BINS
    for source, values in found.disagreement.items():
        weights = np.full(len(values), 1 / len(values))
        left.hist(values.numpy(), bins=edges, weights=weights, histtype="step", lw=1.5, color=COLORS[source])
        right.plot(grid, halt_rate(values, grid), color=COLORS[source], label=source)
    for (beta, mark), style in zip(found.marks.items(), MARK_STYLES, strict=False):
        left.axvline(mark, color="0.2", lw=1, ls=style)
        right.axvline(mark, color="0.2", lw=1, ls=style, label=f"data's mean + {beta:g}·std = {mark:.2g}")
    unit = found.formula
    left.set(title="distribution", xlabel=f"disagreement, {unit}", ylabel="share of steps")
    right.set(title="halt rate", xlabel=f"threshold, {unit}", ylabel="share of steps above it")
    for panel in (left, right):
        log_axis(panel, "x", [float(grid[0]), float(grid[-1])])
    right.set_ylim(MIN_SHARE, 1.5)
    log_axis(right, "y", [MIN_SHARE, 1.0])
    legend_below(figure, [right], columns=3)
    save(figure, path)
