"""Do observations show the whole state?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from offline_envs.data import Transitions, output_names
from offline_envs.diagnose.base import Advice, Chapter, Row, Section
from offline_envs.diagnose.evidence import Evidence
from offline_envs.diagnose.markov.plot import TITLE, plot_markov
from offline_envs.diagnose.markov.residuals import (
    column_correlation,
    explained_share,
    past_columns,
    standardized_residuals,
)
from offline_envs.dynamics import DynamicsModel, Holdout
from offline_envs.envs import Assembly

HISTORIES = (2, 4, 8, 16, 32)
"""Numbers of observations whose help is measured."""

MIN_ROWS = 100
"""Rows with that much past that are needed to measure it."""

ROWS_PER_COLUMN = 5
"""Rows of a regression for each column of the past."""

CHANCE = 3.0
"""Deviations of a correlation of independent numbers, 1/√n, that are taken for chance."""

MIN_GAIN = 1 / 3
"""Share of the model's squared errors that the past has to explain to be worth a history.

The errors of a model of a deterministic simulator follow one another as well, because they are a smooth
function of the state: those of the Hopper's data correlate by 0.3 to 0.5 from one step to the next. Beyond
what the present does, the past explains up to 0.07 of them; on the HalfCheetah's data 0.004, on the embedded
ones 0.2, and 0.3 with a tiny model after two epochs; of a mass on a spring whose velocity is hidden, 0.99.
"""

NEARLY = 0.9
"""Share of the longest history's help that is enough for a shorter one."""


@dataclass(frozen=True)
class MarkovReport(Section):
    """What the past tells of the model's one-step errors; of a Markov state it would be nothing.

    Attributes:
        names: Names of the predicted outputs, o of them.
        n: Number of steps whose error is compared with that of the step before.
        correlation: Correlation of the two, float64 `(o,)`: the residuals' lag-1 autocorrelation.
        gains: Number of observations → share of the squared errors that they explain beyond the newest one
            and its action, by a linear regression judged on other rows, float64 `(o,)`.
        history: History of the data.
    """

    names: tuple[str, ...]
    n: int
    correlation: Tensor
    gains: Mapping[int, Tensor]
    history: int

    @classmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Compare errors with those of the step before, and with the observations before."""
        data, outputs = evidence.transitions, learned_outputs(evidence.assembly)
        every = output_names(data)
        names = tuple(every[i] for i in outputs)
        step = torch.arange(len(data)) - torch.repeat_interleave(data.episode_starts, data.episode_lengths)
        rows = evidence.holdout.rows[: evidence.settings.rows]
        rows = rows[step[rows] >= 1]
        if len(rows) < MIN_ROWS or not outputs:
            return cls(names, len(rows), torch.zeros(len(outputs), dtype=torch.float64), {}, data.history)
        model = evidence.assembly.model
        now, before = (standardized_residuals(model, data, at, outputs) for at in (rows, rows - 1))
        chosen = _rows_with_past(data, step, evidence.holdout, evidence.settings.rows)
        gains = {} if chosen is None else _gains(model, data, outputs, *chosen)
        return cls(names, len(rows), column_correlation(before, now), gains, data.history)

    @property
    def bound(self) -> float:
        """Correlation below which errors of independent steps lie but for 3 in 1000."""
        return CHANCE / math.sqrt(max(1, self.n))

    @property
    def measured(self) -> bool:
        """Whether there are enough steps."""
        return bool(self.gains)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if there are too few steps."""
        if self.measured:
            return ()
        return (
            f"Whether observations show the whole state is unknown: it takes {MIN_ROWS} held-out steps with "
            "one before them, of outputs that are not known.",
        )

    @property
    def best(self) -> Tensor:
        """Largest gain of each output, `(o,)`."""
        return torch.stack([*self.gains.values()]).amax(dim=0)

    def advised(self) -> int | None:
        """The shortest history that helps nearly as much as the best; None if the past does not help."""
        helped = self.best >= MIN_GAIN
        if not bool(helped.any()):
            return None
        enough = [k for k, gain in self.gains.items() if bool((gain >= NEARLY * self.best)[helped].all())]
        return min(enough, default=max(self.gains))

    def rows(self) -> list[Row]:
        """One row for each output."""
        return [
            {
                "output": name,
                "correlation with the step before": float(self.correlation[i]),
                "chance": self.bound,
                **{f"explained by {k} observations": float(gain[i]) for k, gain in self.gains.items()},
            }
            for i, name in enumerate(self.names)
        ]

    def chapters(self) -> list[Chapter]:
        """One plot of the errors' correlation and of what the past explains."""
        if not self.measured:
            return []
        text = (
            "Left: correlation of a step's error with that of the step before, in deviations that the model "
            f"predicts, on {self.n:,} recorded steps; of independent errors it lies between the lines. "
            "Right: share of the squared errors that the last k observations and actions explain, beyond the "
            "newest ones. Errors that the past explains come from a state that observations do not show, or "
            "from a delay; errors that only repeat are the model's own."
        )
        return [Chapter("memory", TITLE, text, self._draw, self.rows())]

    def _draw(self, path: Path) -> None:
        plot_markov(self.names, self.correlation, self.bound, self.gains, path)

    def advice(self) -> list[Advice]:
        """Advice on a history."""
        if not self.measured:
            return []
        history, repeated = self.advised(), int((self.correlation.abs() > self.bound).sum())
        strongest = self.correlation[self.correlation.abs().argmax()]
        figures = (
            f"the past explains up to {max(0.0, float(self.best.max())):.0%} of squared errors; errors "
            f"correlate with the last ones by up to {strongest:.2f}"
        )
        why = (
            f"Errors of {repeated} of {len(self.names)} outputs correlate with those of the step before by "
            f"more than chance ({self.bound:.2f} for {self.n:,} steps). {self._explained()}"
        )
        if history is None:
            return [Advice("state", "observations show it, as far as can be seen", figures, why)]
        value = f"observations do not show all of it: history={history}"
        return [Advice("state", value, figures, why, warning=True)]

    def _explained(self) -> str:
        each = "; ".join(
            f"{k} observations up to {max(0.0, float(gain.max())):.1%}" for k, gain in self.gains.items()
        )
        helped = [name for name, gain in zip(self.names, self.best, strict=True) if gain >= MIN_GAIN]
        verdict = (
            f"That is at least {MIN_GAIN:.0%} for {', '.join(helped)}: with history=k the model sees them."
            if helped
            else f"Below {MIN_GAIN:.0%} errors that follow one another are the model's own, which a longer "
            "fit or a larger model makes smaller."
        )
        return f"Of the squared errors, beyond the newest observation and action, explain: {each}. {verdict}"


def learned_outputs(assembly: Assembly) -> tuple[int, ...]:
    """Numbers of the outputs of (reward, next_obs − obs) that only the model tells."""
    known = assembly.mdp.known
    given = () if known is None else known.outputs
    return tuple(i for i in range(1 + assembly.transitions.newest.obs_dim) if i not in given)


def _rows_with_past(
    data: Transitions, step: Tensor, holdout: Holdout, most: int
) -> tuple[Tensor, Tensor, tuple[int, ...]] | None:
    """Rows that judge and rows that fit, of as long a past as there are enough, and the histories within.

    Args:
        data: The dataset.
        step: Number of each row's step in its episode, from 0, int64 `(n,)`.
        holdout: Its split.
        most: Largest number of rows of each kind.
    """
    width = data.newest.obs_dim + data.action_dim
    for longest in reversed(HISTORIES):
        judged, fitted = (part[step[part] >= longest - 1][:most] for part in (holdout.rows, holdout.others))
        columns = data.obs_dim + data.action_dim + (longest - 1) * width
        if len(judged) >= MIN_ROWS and len(fitted) >= ROWS_PER_COLUMN * columns:
            return judged, fitted, tuple(k for k in HISTORIES if k <= longest)
    return None


def _gains(
    model: DynamicsModel,
    data: Transitions,
    outputs: tuple[int, ...],
    judged: Tensor,
    fitted: Tensor,
    histories: tuple[int, ...],
) -> dict[int, Tensor]:
    values, other = (standardized_residuals(model, data, rows, outputs) for rows in (judged, fitted))

    def share(history: int) -> Tensor:
        return explained_share(
            past_columns(data, judged, history), values, past_columns(data, fitted, history), other
        )

    present = share(1)
    return {history: share(history) - present for history in histories}
