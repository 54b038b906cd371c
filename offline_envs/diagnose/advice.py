"""What to do with the figures, in plain language."""

from dataclasses import dataclass
from operator import attrgetter

from offline_envs.diagnose.diagnosis import Diagnosis
from offline_envs.diagnose.foresight import LEAST_WINDOWS, LIMIT, Foresight
from offline_envs.diagnose.halting import MOST_DATA_HALTED
from offline_envs.diagnose.penalty_scale import SHARES, SourceScale
from offline_envs.diagnose.reach import QUANTILE

HEAVY_TAIL = 3.0
"""How many times the mean the 95 % quantile of a penalty may be without a warning."""

GOOD_RANKING, FAIR_RANKING = 0.7, 0.4
WIDE, NARROW = 0.95, 0.85
"""Observed shares beyond which 90 % intervals are called too wide or too narrow."""

SHOWN_LEVEL = 0.9
MANY_HALTED, MANY_OUTSIDE = 0.5, 0.1
"""Shares of imagined steps above which a threshold or a distance is worth a warning."""


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    Attributes:
        topic: What it is about.
        value: The advice in a few words.
        figures: The main figures, in a few words.
        why: All figures it rests on, in whole sentences.
        warning: Whether something is wrong.
    """

    topic: str
    value: str
    figures: str
    why: str
    warning: bool = False


def advise(found: Diagnosis) -> list[Advice]:
    """Every piece of advice, the most useful first."""
    scale = found.scales[found.source]
    return [
        _horizon(found),
        *(_coefficient(found, scale, name) for name in scale.measures),
        _ends(found, scale),
        _threshold(found),
        _ranking(found),
        *_intervals(found),
        _reach(found),
    ]


def _horizon(found: Diagnosis) -> Advice:
    rule = (
        f"Steps that fewer than {LEAST_WINDOWS} episodes last to are not judged. It is an upper bound: a "
        "policy seeks out errors that these states do not show."
    )
    if min(f.judged for f in found.foresight) == 0:
        return Advice("horizon", f"cannot be told: fewer than {LEAST_WINDOWS} episodes", "", rule)
    each = "; ".join(
        f"along {f.actions} up to step {_steps(f, 'trusted')} in half of the episodes, up to step "
        f"{_steps(f, 'trusted_by_most')} in nine of ten, and with the noise that training adds up to "
        f"step {_steps(f, 'sampled')} in half"
        for f in found.foresight
    )
    why = (
        f"The open-loop error of the model's mean stays below {LIMIT} deviations of the data, and below "
        f"the error of expecting no change, {each}. {rule}"
    )
    half, most, noisy = (_weakest(found, name) for name in ("trusted", "trusted_by_most", "sampled"))
    figures = (
        f"holds in 9 of 10 episodes to step {_steps(most, 'trusted_by_most')}, in half to "
        f"{_steps(half, 'trusted')}, with noise to {_steps(noisy, 'sampled')}"
    )
    if half.trusted == 0:
        return Advice("horizon", "none: one step is too far off already", figures, why, warning=True)
    if most.trusted_by_most == 0:
        return Advice("horizon", "1: it is too far off in 1 of 10", figures, why, warning=True)
    is_noisy = noisy.sampled < min(most.trusted_by_most, found.settings.train_horizon)
    value = f"up to {_steps(most, 'trusted_by_most')}{', but noisy' if is_noisy else ''}"
    return Advice("horizon", value, figures, why, warning=is_noisy)


def _weakest(found: Diagnosis, name: str) -> Foresight:
    return min(found.foresight, key=attrgetter(name))


def _coefficient(found: Diagnosis, scale: SourceScale, name: str) -> Advice:
    measured, topic = scale.measures[name], f"λ for {name}"
    figures = (
        f"mean u {measured.mean:.3g}, 95% below {measured.high:.3g}, mean |reward| {measured.reward:.3g}"
    )
    why = (
        f"Over {scale.n:,} {scale.source} up to step {found.settings.train_horizon}, u is "
        f"{measured.mean:.3g} on average and mean |reward| {measured.reward:.3g}, so λ = 1 takes "
        f"{measured.cost:.1%} of it."
    )
    if measured.coefficients is None:
        return Advice(topic, "cannot be told", figures, why, warning=True)
    low, high = measured.coefficients
    why += f" This range takes {SHARES[0]:.0%} to {SHARES[1]:.0%}."
    heavy = measured.tail > HEAVY_TAIL
    if heavy:
        why += (
            f" Mind the tail: the 95% quantile of u is {measured.high:.3g}, {measured.tail:.1f} times the "
            f"mean. At λ = {high:.2g} one step in twenty pays at least "
            f"{high * measured.high / measured.reward:.1f} times the mean |reward|, at λ = {low:.2g} "
            f"{low * measured.high / measured.reward:.1f} times; start low."
        )
    return Advice(
        topic, f"{low:.2g} to {high:.2g}{', heavy tail' if heavy else ''}", figures, why, warning=heavy
    )


def _ends(found: Diagnosis, scale: SourceScale) -> Advice:
    data = next(iter(found.scales.values()))
    figures = f"{scale.terminated:.2%} terminated, {scale.exploded:.2%} exploded; data {data.terminated:.2%}"
    why = (
        f"Of {scale.n:,} {scale.source} up to step {found.settings.train_horizon}, {scale.terminated:.2%} "
        f"end the episode, {scale.exploded:.2%} because the prediction lies far outside the data; of the "
        f"{data.source}, {data.terminated:.2%} do."
    )
    value = "predictions explode" if scale.exploded > 0 else "no prediction explodes"
    return Advice("ends of episodes", value, figures, why, warning=scale.exploded > 0)


def _threshold(found: Diagnosis) -> Advice:
    halting = found.halting
    beta = halting.advised()
    threshold = halting.marks[beta]
    rates = halting.rates(threshold)
    shares = ", ".join(f"{rate:.2%} of {source}" for source, rate in rates.items())
    why = (
        f"The mean + {beta:g}·std of the disagreement of all members over the data, the first of β = "
        f"{', '.join(f'{b:g}' for b in halting.marks)} that halts at most {MOST_DATA_HALTED:.0%} of the "
        f"data, if any does. It halts {shares}."
    )
    figures = "halts " + shares
    value = f"{threshold:.3g} (mean + {beta:g}·std)"
    return Advice("halting threshold", value, figures, why, warning=rates[found.source] > MANY_HALTED)


def _ranking(found: Diagnosis) -> Advice:
    why = " ".join(
        f"On {c.n:,} {c.source}, the rank correlation with the true error is "
        + ", ".join(f"{_number(r)} ({name})" for name, r in c.correlation.items())
        + "."
        for c in found.calibration
    )
    best = found.calibration[-1].best
    if best is None:
        return Advice("measure", "none: no measure varies", "", why, warning=True)
    name, value = best
    figures = ", ".join(f"{_number(c.correlation[name])} on {c.source}" for c in found.calibration)
    grade = "well" if value > GOOD_RANKING else "fairly" if value > FAIR_RANKING else "poorly"
    return Advice(
        "measure",
        f"{name} ranks errors best: {grade}",
        f"rank correlation {figures}",
        why,
        warning=value <= FAIR_RANKING,
    )


def _intervals(found: Diagnosis) -> list[Advice]:
    first = found.calibration[0].overall()
    if not first:
        return []
    why = " ".join(
        f"On {c.n:,} {c.source}, "
        + ", ".join(f"{level:.0%} intervals hold {s:.1%}" for level, s in c.overall().items())
        + " of the truth."
        for c in found.calibration
    )
    share = first[SHOWN_LEVEL]
    verdict = "too wide" if share > WIDE else "too narrow" if share < NARROW else "about right"
    figures = ", ".join(f"{s:.0%} in {level:.0%}" for level, s in first.items())
    return [Advice("predictive intervals", verdict, figures, why, warning=verdict != "about right")]


def _reach(found: Diagnosis) -> Advice:
    reach = found.reach
    each = ", ".join(f"{share:.1%} of {source}" for source, share in reach.outside.items())
    share = reach.outside[found.source]
    why = (
        f"{each} lead to states farther from the nearest data state than {QUANTILE:.0%} of held-out states "
        f"are ({reach.radius:.2f} deviations), over up to {found.settings.horizon} imagined steps. "
        f"{1 - QUANTILE:.0%} would be like the data."
    )
    value = f"{share:.1%} of imagined states lie outside"
    return Advice("distance from the data", value, each, why, warning=share > MANY_OUTSIDE)


def _steps(foresight: Foresight, name: str) -> str:
    steps = int(getattr(foresight, name))
    return f"{steps} (the last judged)" if steps >= foresight.judged else str(steps)


def _number(correlation: float | None) -> str:
    return "undefined" if correlation is None else f"{correlation:.2f}"
