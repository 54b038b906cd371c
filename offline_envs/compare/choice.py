"""Which policy each rule chooses, and how good the choice is where the truth is known."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from offline_envs.evaluation import rank_correlation
from offline_envs.evaluation.off_policy import Estimate

KS = (1, 5)
"""Numbers of policies of which the best one counts, in regret at k."""


@dataclass(frozen=True)
class ReturnRange:
    """Worst and best episode return of the dataset, undiscounted: the scale of TOReL's regret."""

    worst: float
    best: float


@dataclass(frozen=True)
class Choice:
    """What a rule says of n policies.

    Attributes:
        rule: Its name.
        scores: Score of each policy by its name, higher is better; None where the rule cannot judge it.
        picked: The policy of the highest score.
        real_return: Its real return; None where that is not known.
        regrets: Regret at k by k, see `regret_at`, for each k of `KS` below the number of known real returns.
        correlation: Spearman's rank correlation of scores and real returns; None where it is not defined.
    """

    rule: str
    scores: Mapping[str, float | None]
    picked: str | None
    real_return: float | None
    regrets: Mapping[int, float]
    correlation: float | None


Estimates = Mapping[str, Estimate]
"""The estimates of one policy by the name of the estimator."""


def torel_regret(estimate: Estimate, returns: ReturnRange) -> float:
    """TOReL's regret of a policy: (R_max − median_m R̄_m) / (R_max − R_min), lower is better.

    Fellows et al. 2025 (arXiv 2505.22442): R̄_m is the mean return in member m of the model and R_max the best
    return of the dataset. Here returns are undiscounted and R_min is the dataset's worst one; nothing is
    clamped. The release takes bounds of the reward over 1 − γ instead and clamps the result to [0, 1], which
    ties all policies beyond. With one dataset, either ranks policies by the median of the members.
    """
    scale = returns.best - returns.worst or 1.0
    return (returns.best - statistics.median(estimate.members)) / scale


def rule_scores(estimates: Estimates, returns: ReturnRange) -> dict[str, float]:
    """Score of a policy by each rule: every estimate itself, and two rules on the model's members.

    `lower_bound` is the smallest of the members' mean returns, the lower end of the model-based interval;
    `torel` is `torel_regret` with its sign turned.
    """
    scores = {name: estimate.value for name, estimate in estimates.items()}
    if "model" in estimates:
        found = estimates["model"]
        scores["lower_bound"] = min(found.members)
        scores["torel"] = -torel_regret(found, returns)
    return scores


def choices(
    estimates: Mapping[str, Estimates], truth: Mapping[str, float | None], returns: ReturnRange
) -> list[Choice]:
    """The choice of every rule among policies.

    Args:
        estimates: Estimates of each policy by its name.
        truth: Real return of each policy, None where it is not known.
        returns: Those of the dataset.
    """
    by_policy = {name: rule_scores(found, returns) for name, found in estimates.items()}
    rules = list(dict.fromkeys(rule for scores in by_policy.values() for rule in scores))
    return [_choice(rule, {name: by_policy[name].get(rule) for name in by_policy}, truth) for rule in rules]


def _choice(rule: str, scores: Mapping[str, float | None], truth: Mapping[str, float | None]) -> Choice:
    finite = {name: s for name, s in scores.items() if s is not None and math.isfinite(s)}
    ranked = sorted(finite, key=lambda name: -finite[name])
    picked = ranked[0] if ranked else None
    known = [name for name in ranked if truth[name] is not None]
    pairs = [(finite[name], float(truth[name] or 0.0)) for name in known]
    if len(pairs) < 2:
        return Choice(rule, scores, picked, None if picked is None else truth[picked], {}, None)
    best = max(value for value in truth.values() if value is not None)
    real = [value for _, value in pairs]
    correlation = rank_correlation(*torch.tensor(pairs, dtype=torch.float64).T)
    regrets = {k: regret_at(k, real, best) for k in KS if k < len(real)}
    return Choice(rule, scores, picked, None if picked is None else truth[picked], regrets, correlation)


def regret_at(k: int, real: Sequence[float], best: float) -> float:
    """Regret at k: the best real return of all policies minus the best among a rule's first k, at least 0.

    Fu et al. 2021 (DOPE); in units of the return, not divided by the range of real returns as there.

    Args:
        k: Number of policies that are tried.
        real: Real returns in the rule's order.
        best: The best real return of all.
    """
    return best - max(real[:k])


def regret_of_a_draw(k: int, real: Sequence[float]) -> float:
    """Expected regret at k of policies that are drawn at random, without replacement."""
    ordered, n = sorted(real), len(real)
    k = min(k, n)
    mean = sum(value * math.comb(j, k - 1) for j, value in enumerate(ordered)) / math.comb(n, k)
    return ordered[-1] - mean


def correlation_by_chance(n: int) -> float | None:
    """Size of a rank correlation of n policies that chance exceeds in about one of twenty cases.

    1.96 / √(n − 1), the large-sample value; None for fewer than five, of which nearly any can be chance.
    """
    return None if n < 5 else 1.96 / math.sqrt(n - 1)


def verdict(found: Sequence[Choice], real: Sequence[float]) -> str:
    """Say in a sentence whether any rule chose better than a draw, and what a correlation must exceed.

    Args:
        found: The choices.
        real: All real returns that are known.
    """
    if len(real) < 2:
        return "Fewer than two real returns are known, so nothing can be said of the rules."
    chance = regret_of_a_draw(1, real)
    better = [c.rule for c in found if c.regrets and c.regrets[1] < chance]
    bound = correlation_by_chance(len(real))
    limits = (
        f"with {len(real)} policies nearly any rank correlation can be chance"
        if bound is None
        else f"with {len(real)} policies a rank correlation within ±{bound:.2f} can be chance"
    )
    if not better:
        return f"No rule chose better than a draw, whose mean regret is {chance:.0f}; {limits}."
    return f"Better than a draw (mean regret {chance:.0f}): {', '.join(better)}; {limits}."
