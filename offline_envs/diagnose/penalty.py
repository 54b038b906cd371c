"""How large is the penalty compared with the reward that it is subtracted from?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from offline_envs.diagnose.base import Advice, Chapter, Row, Section
from offline_envs.diagnose.evidence import DATASET, Evidence
from offline_envs.diagnose.plot_style import COLORS, legend_below, log_axis, panels, save
from offline_envs.diagnose.rollouts import Rollouts
from offline_envs.evaluation import Uncertainty

TITLE = "How large is the penalty compared with the reward?"

SHARES = (0.1, 0.5)
"""Shares of the mean |reward| between which a mean penalty matters without dominating the reward."""

HEAVY_TAIL = 3.0
"""Largest ratio of a penalty's 95 % quantile to its mean that raises no warning."""


@dataclass(frozen=True)
class PenaltyScale:
    """One measure of uncertainty over one set of steps.

    Attributes:
        mean: Mean of u.
        high: The 95 % quantile of u.
        reward: Mean |reward| of the steps.
    """

    mean: float
    high: float
    reward: float

    @property
    def cost(self) -> float:
        """Cost of λ = 1: mean u over mean |reward|; infinite if all rewards are 0."""
        return self.mean / self.reward if self.reward > 0 else float("inf")

    @property
    def tail(self) -> float:
        """Ratio of the 95 % quantile to the mean; 1 if u is 0."""
        return self.high / self.mean if self.mean > 0 else 1.0

    @property
    def coefficients(self) -> tuple[float, float] | None:
        """The λ at which the mean penalty is each of `SHARES` of the mean |reward|, or None."""
        if not (self.mean > 0 and self.reward > 0):
            return None
        return SHARES[0] / self.cost, SHARES[1] / self.cost


@dataclass(frozen=True)
class SourceScale:
    """Penalties and ends of episodes over one set of steps.

    Attributes:
        source: Name of the set.
        n: Number of steps.
        measures: Scale of each measure.
        terminated: Share of steps that ended the MDP, including exploded ones.
        exploded: Share of steps whose prediction was rejected.
    """

    source: str
    n: int
    measures: Mapping[str, PenaltyScale]
    terminated: float
    exploded: float

    @classmethod
    def of(
        cls, source: str, steps: Rollouts, uncertainty: Uncertainty, *, horizon: int | None = None
    ) -> Self:
        """Summarise steps; with `horizon`, only steps up to it in their episode."""
        kept = steps.time <= (horizon or steps.time.max())
        reward = float(steps.rewards[kept].abs().double().mean())
        measures = {
            name: PenaltyScale(float(u[kept].double().mean()), _high(u[kept]), reward)
            for name, u in uncertainty.by_measure.items()
        }
        ended, exploded = (float(flag[kept].double().mean()) for flag in (steps.terminated, steps.exploded))
        return cls(source, int(kept.sum()), measures, ended, exploded)

    def rows(self) -> list[Row]:
        """One row for each measure."""
        return [
            {
                "source": self.source,
                "measure": name,
                "steps": self.n,
                "mean u": scale.mean,
                "95 % quantile of u": scale.high,
                "mean |reward|": scale.reward,
                "mean u / mean |reward|": scale.cost,
                "terminated steps": self.terminated,
                "exploded steps": self.exploded,
            }
            for name, scale in self.measures.items()
        ]


@dataclass(frozen=True)
class PenaltyReport(Section):
    """Penalties compared with rewards, over the dataset and over imagined episodes.

    Attributes:
        data: Scale over the dataset.
        imagined: Scale over each set of imagined steps, up to `train_horizon`.
        by_time: (set of imagined steps, measure) → mean u after 1, 2, … steps, `(h,)`.
        source: The imagined steps on which advice is based.
        train_horizon: Training horizon of a policy.
    """

    data: SourceScale
    imagined: Mapping[str, SourceScale]
    by_time: Mapping[tuple[str, str], Tensor]
    source: str
    train_horizon: int

    @classmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Summarise penalties and rewards of recorded and imagined steps."""
        uncertainty, horizon = evidence.uncertainty, evidence.settings.train_horizon
        return cls(
            SourceScale.of(DATASET, evidence.steps[DATASET], uncertainty[DATASET]),
            {
                source: SourceScale.of(source, steps, uncertainty[source], horizon=horizon)
                for source, steps in evidence.imagined.items()
            },
            {
                (source, name): steps.mean_by_time(values)
                for source, steps in evidence.imagined.items()
                for name, values in uncertainty[source].by_measure.items()
            },
            evidence.source,
            horizon,
        )

    @property
    def scales(self) -> list[SourceScale]:
        """Scales over all sets of steps, the dataset's first."""
        return [self.data, *self.imagined.values()]

    def chapters(self) -> list[Chapter]:
        """One plot of the cost and of its course over an episode."""
        text = (
            "Top: each dot is the mean of u over a set of steps and its bar extends to the 95% quantile, "
            "both divided by that set's mean |reward|; imagined episodes count up to step "
            f"{self.train_horizon}. Choose λ so that λ times the dot lies in the green band. Bottom: "
            "mean u over a longer imagined episode; the dashed line is the mean over the data."
        )
        rows = [row for scale in self.scales for row in scale.rows()]
        return [Chapter("penalty", TITLE, text, lambda path: plot_penalty(self, path), rows)]

    def advice(self) -> list[Advice]:
        """A range of λ for each measure, and the ends of imagined episodes."""
        scale = self.imagined[self.source]
        return [*(self._coefficient(scale, name) for name in scale.measures), self._ends(scale)]

    def _coefficient(self, scale: SourceScale, name: str) -> Advice:
        measured, topic = scale.measures[name], f"λ for {name}"
        figures = (
            f"mean u {measured.mean:.3g}, 95% below {measured.high:.3g}, mean |reward| {measured.reward:.3g}"
        )
        why = (
            f"Over {scale.n:,} {scale.source} up to step {self.train_horizon}, u is "
            f"{measured.mean:.3g} on average and mean |reward| {measured.reward:.3g}, so λ = 1 costs "
            f"{measured.cost:.1%} of it."
        )
        if measured.coefficients is None:
            return Advice(
                topic, "undefined: mean u or mean |reward| is not positive", figures, why, warning=True
            )
        low, high = measured.coefficients
        why += f" This range costs {SHARES[0]:.0%} to {SHARES[1]:.0%}."
        if (data := self.data.measures[name]).coefficients is not None:
            why += (
                f" With penalty_scale='data' it is {low * data.mean:.2g} to {high * data.mean:.2g}, in units "
                f"of the mean u over the data, {data.mean:.3g}; with penalty_scale='reward' "
                f"{low * data.cost:.2g} to {high * data.cost:.2g}, in shares of their mean |reward|."
            )
        heavy = measured.tail > HEAVY_TAIL
        if heavy:
            why += (
                f" The tail is heavy: the 95% quantile of u is {measured.high:.3g}, {measured.tail:.1f} "
                f"times the mean. At λ = {high:.2g} one step in twenty loses at least "
                f"{high * measured.high / measured.reward:.1f} times the mean |reward|, at λ = {low:.2g} "
                f"{low * measured.high / measured.reward:.1f} times; start low."
            )
        value = f"{low:.2g} to {high:.2g}{', heavy tail' if heavy else ''}"
        return Advice(topic, value, figures, why, warning=heavy)

    def _ends(self, scale: SourceScale) -> Advice:
        data = self.data
        figures = (
            f"{scale.terminated:.2%} terminated, {scale.exploded:.2%} exploded; data {data.terminated:.2%}"
        )
        why = (
            f"Of {scale.n:,} {scale.source} up to step {self.train_horizon}, {scale.terminated:.2%} "
            f"end the episode, {scale.exploded:.2%} because the prediction lies far outside the data; of the "
            f"{data.source}, {data.terminated:.2%} do."
        )
        value = "predictions explode" if scale.exploded > 0 else "no prediction explodes"
        return Advice("ends of episodes", value, figures, why, warning=scale.exploded > 0)


def plot_penalty(found: PenaltyReport, path: Path) -> None:
    """Draw the cost of λ = 1, on average and at the 95 % quantile, and u over the steps of an episode."""
    measures = list(found.data.measures)
    figure, axes = panels(2, max(1, len(measures)), TITLE, height=3.1)
    for column, name in enumerate(measures):
        top, bottom = axes[column], axes[column + len(measures)]
        scales = {scale.source: scale.measures[name] for scale in found.scales}
        _draw_cost(top, scales, labelled=column == 0)
        top.set(title=name, xlabel="cost of λ = 1, in mean |reward|")
        curves = {source: curve for (source, m), curve in found.by_time.items() if m == name}
        _draw_by_time(bottom, scales[DATASET].mean, curves)
        bottom.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        bottom.set(xlabel="step of the imagined episode", ylabel="" if column else "mean u")
    legend_below(figure, axes, columns=2)
    save(figure, path)


def _draw_cost(panel: Axes, scales: Mapping[str, PenaltyScale], *, labelled: bool) -> None:
    band = f"{SHARES[0]:.0%} to {SHARES[1]:.0%} of mean |reward|: λ = 1 is right for a mean in this band"
    panel.axvspan(*SHARES, color="C2", alpha=0.15, lw=0, label=band)
    for row, (source, measured) in enumerate(scales.items()):
        unit = measured.reward or 1.0
        mean, high = measured.mean / unit, measured.high / unit
        label = f"{source}: mean to 95% quantile"
        panel.plot([mean, high], [row, row], "-", color=COLORS[source], lw=2, label=label)
        panel.plot(mean, row, "o", color=COLORS[source])
    panel.set_yticks(range(len(scales)), list(scales) if labelled else [""] * len(scales), fontsize="small")
    panel.set_ylim(len(scales) - 0.5, -0.5)
    costs = [v / (m.reward or 1.0) for m in scales.values() for v in (m.mean, m.high)]
    log_axis(panel, "x", [*costs, *SHARES])


def _draw_by_time(panel: Axes, data_mean: float, curves: Mapping[str, Tensor]) -> None:
    panel.axhline(data_mean, color=COLORS[DATASET], ls="--")
    for source, curve in curves.items():
        panel.plot(np.arange(1, len(curve) + 1), curve, color=COLORS[source])
    log_axis(panel, "y", [v for curve in curves.values() for v in curve.tolist()])


def _high(values: Tensor) -> float:
    return float(torch.quantile(values.double(), 0.95))
