"""`ESTIMATORS`: every way to judge a policy in a comparison, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from offline_envs.compare.evidence import Evidence
from offline_envs.evaluation.off_policy import (
    DOUBLY_ROBUST_FORMS,
    IMPORTANCE_FORMS,
    Estimate,
    doubly_robust,
    importance_sampling,
)
from offline_envs.registry import Registry


@dataclass(frozen=True)
class Estimator:
    """A way to judge a policy.

    Attributes:
        judge: Gives the estimate.
        needs_model: Whether it needs a fitted model, so that runs without one are left out.
    """

    judge: Callable[[Evidence], Estimate]
    needs_model: bool = False


def _importance(evidence: Evidence, form: str) -> Estimate:
    return importance_sampling(evidence.episodes, form, bootstrap=evidence.bootstrap)


def _doubly_robust(evidence: Evidence, form: str) -> Estimate:
    return doubly_robust(evidence.episodes, evidence.values, form, bootstrap=evidence.bootstrap)


def _fitted_q(evidence: Evidence) -> Estimate:
    return evidence.fitted_q


def _imagined(evidence: Evidence, *, pessimistic: bool) -> Estimate:
    return evidence.imagined.estimate(pessimistic=pessimistic)


ESTIMATORS: Registry[Estimator] = Registry(
    "estimator",
    {
        "model": Estimator(partial(_imagined, pessimistic=False), needs_model=True),
        "penalized": Estimator(partial(_imagined, pessimistic=True), needs_model=True),
        "fqe": Estimator(_fitted_q),
        **{form: Estimator(partial(_doubly_robust, form=form)) for form in DOUBLY_ROBUST_FORMS},
        **{form: Estimator(partial(_importance, form=form)) for form in IMPORTANCE_FORMS},
    },
)
"""Every estimator by name. Model-based ones are `model` without and `penalized` with pessimism."""
