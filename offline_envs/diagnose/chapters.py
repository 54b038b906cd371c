"""The chapters of a report: each a question, how to read its picture, and the figures behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from offline_envs.diagnose.diagnosis import Diagnosis
from offline_envs.diagnose.plot_calibration import plot_intervals, plot_reliability
from offline_envs.diagnose.plot_foresight import plot_foresight
from offline_envs.diagnose.plot_penalty import plot_penalty
from offline_envs.diagnose.plot_rollouts import plot_disagreement, plot_reach
from offline_envs.diagnose.table import Row


@dataclass(frozen=True)
class Chapter:
    """One picture of a report.

    Attributes:
        name: Stem of its files.
        title: The question.
        text: How to read the picture.
        draw: Writes the picture to a path.
        rows: The figures.
    """

    name: str
    title: str
    text: str
    draw: Callable[[Path], None]
    rows: Sequence[Row]


def chapters(found: Diagnosis) -> list[Chapter]:
    """Every chapter that can be written, in order of use."""
    written = [_foresight(found), _penalty(found), _reliability(found)]
    if found.calibration[0].shares is not None:
        written.append(_intervals(found))
    return [*written, _disagreement(found), _reach(found)]


def _foresight(found: Diagnosis) -> Chapter:
    replay = found.replay
    running = "; ".join(
        "{} at the first step and {} at the last along {}".format(*f.episodes, f.actions)
        for f in found.foresight
    )
    repeated = (
        ""
        if replay is None
        else f" The simulator, set to {replay.n} recorded observations and given the recorded action, misses "
        f"the recorded next observation by {replay.obs_error:.1g} deviations at most."
    )
    return Chapter(
        "foresight",
        "How many steps ahead does the model see?",
        "The model starts from a state of the data and follows the actions that were really taken, from "
        "its own predictions; the truth is what the dataset recorded or, along the policy, what the "
        "simulator did from the same state with actions chosen on the simulator's observations. The fit "
        "has seen most of the recorded steps; those of the policy are new to it. Errors are root mean "
        f"squares in deviations of the data, medians over the episodes that still run ({running}). A "
        "sampled forecast draws noise as training does; the mean forecast has none." + repeated,
        lambda path: plot_foresight(found.foresight, path),
        [row for foresight in found.foresight for row in foresight.rows()],
    )


def _penalty(found: Diagnosis) -> Chapter:
    return Chapter(
        "penalty",
        "What does the penalty cost beside the reward?",
        "Above: a dot is the mean of u over a set of steps, the bar ends at its 95% quantile, both "
        "divided by that set's mean |reward|; imagined episodes count up to step "
        f"{found.settings.train_horizon}. Choose λ so that λ times the dot lies in the green band. Below: "
        "mean u over a longer imagined episode; the dashed line is the mean over the data.",
        lambda path: plot_penalty(found, path),
        [row for scale in found.scales.values() for row in scale.rows()],
    )


def _reliability(found: Diagnosis) -> Chapter:
    return Chapter(
        "reliability",
        "Does the model know when it is wrong?",
        "Steps in order of their uncertainty, ten bins of equal count. A useful measure rises from left "
        "to right; the rank correlation says how faithfully it orders single steps (1 is perfect, 0 is "
        "chance). max_std is also a promise: on the dashed line the error is as large as it says.",
        lambda path: plot_reliability(found.calibration, path),
        [row for calibration in found.calibration for row in calibration.bin_rows()],
    )


def _intervals(found: Diagnosis) -> Chapter:
    return Chapter(
        "intervals",
        "Do the predictive intervals hold what they promise?",
        "Central intervals of the equal mixture of the elites' Gaussians, which is what a step is drawn "
        "from. Above the line or to the right of it they are wider than the truth needs: rollouts are "
        "noisier than the world, and penalties are larger. Below or to the left they are too narrow.",
        lambda path: plot_intervals(found.calibration, path),
        [row for calibration in found.calibration for row in calibration.interval_rows()],
    )


def _disagreement(found: Diagnosis) -> Chapter:
    return Chapter(
        "disagreement",
        "How far are the members apart, and which threshold halts how often?",
        "The largest distance between the next observations that two of all members predict, in "
        "deviations of the data, over the data and over imagined episodes up to step "
        f"{found.settings.train_horizon}. A threshold that halts almost nothing, or almost everything, is no "
        "threshold.",
        lambda path: plot_disagreement(found.halting, path),
        found.halting.rows(),
    )


def _reach(found: Diagnosis) -> Chapter:
    return Chapter(
        "reach",
        "Where do rollouts leave the data?",
        "Left: states in the plane in which the data spread most; two components hide the others, so "
        "overlap is no proof of nearness. Right: distance counted in all dimensions. Data that reached "
        "everywhere would keep the curves at the dashed line.",
        lambda path: plot_reach(found.reach, path),
        found.reach.rows(),
    )
